"""The whole network: initialisation, one pass for all regions, both poolings."""

from __future__ import annotations

import pytest
import torch

from frcnn_cli.config import ModelConfig
from frcnn_cli.model.batch import IMAGENET_RGB, prepare
from frcnn_cli.model.build import build_model


def test_new_layers_are_drawn_as_in_the_paper() -> None:
    model = build_model(ModelConfig(), num_classes=200)
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
def test_a_batch_equals_its_images_one_by_one(pool: str) -> None:
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
    image = prepare(torch.zeros(3, 17, 32, dtype=torch.uint8), IMAGENET_RGB, 16)
    assert image.shape == (1, 3, 32, 32)
    assert (image[:, :, :17] < 0).all()
    assert not image[:, :, 17:].any()
