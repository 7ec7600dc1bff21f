"""The whole network: initialisation, one pass for all regions, both poolings."""

from __future__ import annotations

import pytest
import torch

from frcnn_cli.config import DetectConfig, ModelConfig
from frcnn_cli.model.batch import prepare
from frcnn_cli.model.build import build_model
from frcnn_cli.model.fast_rcnn import RegionOutput
from frcnn_cli.model.postprocess import postprocess


def test_new_layers_are_drawn_as_in_the_paper() -> None:
    model = build_model(ModelConfig(backbone="alexnet"), num_classes=20)
    assert model.class_score.weight.std().item() == pytest.approx(0.01, rel=0.02)
    assert model.box_delta.weight.std().item() == pytest.approx(0.001, rel=0.02)
    assert not model.class_score.bias.any()
    assert not model.box_delta.bias.any()


def test_the_seed_decides_and_leaves_the_global_state_alone() -> None:
    state = torch.random.get_rng_state()
    one, same, other = (build_model(ModelConfig(), 2, seed) for seed in (1, 1, 2))
    assert torch.equal(state, torch.random.get_rng_state())
    assert torch.equal(one.backbone.head.fc6.weight, same.backbone.head.fc6.weight)
    assert not torch.equal(one.class_score.weight, other.class_score.weight)


@pytest.mark.parametrize("pool", ["roi_pool", "roi_align"])
def test_a_batch_equals_its_photographs_one_by_one(pool: str) -> None:
    model = build_model(ModelConfig(pool=pool), num_classes=2).eval()
    generator = torch.Generator().manual_seed(0)
    images = [torch.randint(0, 256, (3, 96, 128), generator=generator) for _ in range(2)]
    rois = [torch.tensor([[0.0, 0, 80, 64]]), torch.tensor([[10.0, 20, 128, 96], [5, 5, 40, 90]])]
    prepared = [prepare(image, model.backbone.spec.preprocessing, 16) for image in images]
    with torch.inference_mode():
        together = model(prepared, rois)
        alone = [model([image], [boxes]) for image, boxes in zip(prepared, rois, strict=True)]
    expected = torch.cat([output.class_logits for output in alone])
    torch.testing.assert_close(together.class_logits, expected, rtol=1e-4, atol=1e-5)


def test_prepare_pads_to_the_stride_with_the_mean() -> None:
    preprocessing = build_model(ModelConfig(backbone="alexnet"), 1).backbone.spec.preprocessing
    image = prepare(torch.zeros(3, 17, 32, dtype=torch.uint8), preprocessing, 16)
    assert image.shape == (1, 3, 32, 32)
    assert (image[:, :, :17] < 0).all()
    assert not image[:, :, 17:].any()


def test_postprocess_by_hand() -> None:
    """Three RoIs of K = 2: two of class 1 overlap (IoU 0.9), the third is class 2."""
    model = build_model(ModelConfig(backbone="alexnet"), num_classes=2)
    model.delta_std.fill_(0.1)
    probabilities = torch.tensor([[0.08, 0.9, 0.02], [0.28, 0.7, 0.02], [0.18, 0.02, 0.8]])
    proposals = torch.tensor([[0.0, 0, 100, 100], [0, 0, 100, 90], [50, 50, 70, 60]])
    deltas = torch.zeros(3, 3, 4)
    deltas[2, 2, 0] = 5.0  # five deviations of 0.1: half a width to the right
    output = RegionOutput(probabilities.log(), deltas)

    found = postprocess(output, proposals, model, (75, 200), DetectConfig(score=0.05, vote=0))

    assert found.labels.tolist() == [1, 2]
    assert found.scores.tolist() == pytest.approx([0.9, 0.8])
    assert found.boxes.tolist() == [[0, 0, 75, 100], [60, 50, 75, 60]]  # clipped at x = 75


def test_postprocess_votes_with_what_is_too_weak_to_be_reported() -> None:
    """The second box (0.03, under the threshold) overlaps the first by 0.9, and votes."""
    model = build_model(ModelConfig(backbone="alexnet"), num_classes=1)
    probabilities = torch.tensor([[0.1, 0.9], [0.97, 0.03], [0.92, 0.08]])
    proposals = torch.tensor([[0.0, 0, 100, 100], [0, 0, 100, 90], [200, 0, 260, 60]])
    output = RegionOutput(probabilities.log(), torch.zeros(3, 2, 4))

    found = postprocess(output, proposals, model, (300, 200), DetectConfig(score=0.05))

    # The third has nobody but itself: 0.08² / 1.08 is under the threshold too.
    assert found.scores.tolist() == pytest.approx([0.9 * 0.93 / 1.93])
    assert found.boxes.tolist() == [pytest.approx([0, 0, 100, 100 - 10 * 0.03 / 0.93])]


def test_postprocess_keeps_the_best() -> None:
    model = build_model(ModelConfig(backbone="alexnet"), num_classes=1)
    left = torch.arange(20.0) * 50
    proposals = torch.stack((left, left * 0, left + 20, left * 0 + 20), dim=1)
    logits = torch.stack((torch.zeros(20), torch.linspace(-1, 1, 20)), dim=1)
    output = RegionOutput(logits, torch.zeros(20, 2, 4))
    found = postprocess(
        output, proposals, model, (2000, 100), DetectConfig(max_per_image=5, vote=0)
    )
    assert found.boxes[:, 0].tolist() == [950, 900, 850, 800, 750]
    assert sorted(found.scores, reverse=True) == list(found.scores)
    everything = postprocess(
        output, proposals, model, (2000, 100), DetectConfig(max_per_image=0, vote=0)
    )
    assert len(everything) == 20
