"""Hard examples: which RoIs train (Shrivastava et al. 2016)."""

from __future__ import annotations

import pytest
import torch

from frcnn_cli.errors import ConfigError
from frcnn_cli.model.batch import Batch
from frcnn_cli.model.fast_rcnn import FastRCNN
from frcnn_cli.training.engine.forward import Forward
from frcnn_cli.training.engine.hard_examples import HardExamples
from frcnn_cli.training.engine.loop import Trainer
from frcnn_cli.training.engine.report import StepReport
from support import tiny
from support.settings import changed, train_config

CPU = torch.device("cpu")
CONFIG = train_config(iterations=4, rois_per_image=2, ohem_factor=3, box_loss_weight=1.0)


def undecided() -> FastRCNN:
    """Every RoI of class u has class loss log 3, and its deltas are predicted as 0."""
    model = tiny.model()
    for layer in (model.class_score, model.box_delta):
        torch.nn.init.zeros_(layer.weight)
        torch.nn.init.zeros_(layer.bias)
    return model


def image(*misses: float) -> Batch:
    """One image, with RoIs side by side whose objects are so far off in x."""
    corners = torch.tensor([[8.0 * i, 0, 8 * i + 8, 8] for i in range(len(misses))])
    deltas = torch.tensor([[miss, 0, 0, 0] for miss in misses])
    labels = (deltas[:, 0] > 0).long()
    return Batch((torch.zeros(1, 3, 64, 64),), (corners,), labels, deltas, ("a",))


def test_the_hardest_stay_by_the_sum_of_both_losses() -> None:
    """Log losses are log 3 for all; box losses are 0, 0.5 · 0.5², 2 - 0.5 and 1 - 0.5."""
    batch = image(0.0, 0.5, 2.0, 1.0)
    chosen = HardExamples(Forward(undecided()), CONFIG)(batch)
    assert chosen.deltas[:, 0].tolist() == [2.0, 1.0]
    assert chosen.rois[0][:, 0].tolist() == [16.0, 24.0]
    assert chosen.labels.tolist() == [1, 1]
    without_boxes = changed(CONFIG, box_loss_weight=0.0)
    first = HardExamples(Forward(undecided()), without_boxes)(batch)
    assert first.deltas[:, 0].tolist() == [0.0, 0.5]  # all as hard: the order stays


def test_of_two_that_are_nearly_one_the_harder_stays() -> None:
    """The second covers 7.5 of the third's 8 pixels: IoU 0.94 > 0.7."""
    batch = image(0.0, 1.0, 2.0, 0.5)
    batch.rois[0][1] = torch.tensor([16.0, 0, 24, 7.5])
    chosen = HardExamples(Forward(undecided()), CONFIG)(batch)
    assert chosen.deltas[:, 0].tolist() == [2.0, 0.5]


def test_a_loss_that_is_nan_is_the_hardest() -> None:
    batch = image(0.5, 2.0, 1.0, 1.0)
    batch.deltas[3] = torch.nan
    chosen = HardExamples(Forward(undecided()), CONFIG)(batch)
    assert chosen.rois[0][:, 0].tolist() == [24.0, 8.0]


def test_each_image_keeps_its_own_and_few_are_all_kept() -> None:
    one, other = image(0.5, 2.0, 1.0), image(1.0)
    both = Batch(
        one.images + other.images,
        one.rois + other.rois,
        torch.cat((one.labels, other.labels)),
        torch.cat((one.deltas, other.deltas)),
        ("a", "b"),
    )
    chosen = HardExamples(Forward(undecided()), CONFIG)(both)
    assert [len(rois) for rois in chosen.rois] == [2, 1]
    assert chosen.deltas[:, 0].tolist() == [2.0, 1.0, 1.0]
    assert chosen.image_ids == ("a", "b")


def test_the_model_and_the_global_chance_are_left_as_they_were() -> None:
    model = tiny.model().train()
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    state = torch.random.get_rng_state()
    HardExamples(Forward(model), CONFIG)(tiny.batch())
    assert all(module.training for module in model.modules())
    assert all(torch.equal(before[name], t) for name, t in model.state_dict().items())
    assert all(parameter.grad is None for parameter in model.parameters())
    assert torch.equal(state, torch.random.get_rng_state())


def test_a_step_learns_from_the_hardest_alone() -> None:
    reports: list[StepReport] = []
    trainer = Trainer(tiny.model(), CONFIG, CPU)
    reports += trainer.run([tiny.batch()])
    assert reports[0].rois == 4  # 2 images × 2, of 6 each
    by_hand = Trainer(tiny.model(), changed(CONFIG, ohem_factor=0), CPU)
    reports += by_hand.run([HardExamples(Forward(by_hand.model), CONFIG)(tiny.batch())])
    ours, theirs = trainer.model.state_dict(), by_hand.model.state_dict()
    assert all(torch.equal(ours[name], theirs[name]) for name in theirs)


def test_stages_have_no_common_loss() -> None:
    with pytest.raises(ConfigError, match="stage_wise has no loss of both kinds"):
        train_config(stage_wise=True, ohem_factor=4)
