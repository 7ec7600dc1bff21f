"""The stages of Table 6, and the normalisation of the Caffe release."""

from __future__ import annotations

import torch

from frcnn_cli.config import ScheduleConfig, TrainConfig
from frcnn_cli.model.fast_rcnn import FastRCNN
from frcnn_cli.training.distributed.context import SINGLE_PROCESS
from frcnn_cli.training.engine.class_statistics import (
    fold_delta_normalization,
    use_per_class_delta_stats,
)
from frcnn_cli.training.engine.forward import Forward
from frcnn_cli.training.engine.loop import Trainer
from frcnn_cli.training.engine.optimizer import rate_factor
from frcnn_cli.training.engine.stages import disable_box_regression
from frcnn_cli.training.engine.step import StepInputs, TrainStep
from support import tiny
from support.settings import train_config

CPU = torch.device("cpu")
STAGES = train_config(iterations=6, stage_wise=True)


def snapshot(model: FastRCNN) -> dict[str, torch.Tensor]:
    return {name: tensor.clone() for name, tensor in model.named_parameters()}


def changed(before: dict[str, torch.Tensor], model: FastRCNN) -> set[str]:
    return {n for n, tensor in model.named_parameters() if not torch.equal(before[n], tensor)}


def test_classes_first_then_the_box_layer_alone() -> None:
    trainer = Trainer(tiny.model(), STAGES, CPU)
    boxes = {"box_delta.weight", "box_delta.bias"}
    start = snapshot(trainer.model)
    list(trainer.run(map(tiny.batch, range(3))))
    assert changed(start, trainer.model) == start.keys() - boxes
    between = snapshot(trainer.model)
    list(trainer.run(map(tiny.batch, range(3, 6))))
    assert changed(between, trainer.model) == boxes


def test_each_stage_has_the_whole_schedule() -> None:
    config = ScheduleConfig(iterations=80_000, stage_wise=True)
    steps = (0, 29_999, 30_000, 40_000, 69_999, 70_000)
    assert [rate_factor(step, config) for step in steps] == [1, 1, 0.1, 1, 1, 0.1]


def test_without_box_regression_nothing_moves() -> None:
    model = tiny.model()
    disable_box_regression(model)
    trainer = Trainer(model, train_config(iterations=3, box_loss_weight=0.0), CPU)
    list(trainer.run(map(tiny.batch, range(3))))
    batch = tiny.batch()
    assert not model.eval()(batch.images, batch.rois).deltas.any()


def test_a_model_normalised_by_class_folds_into_one_that_is_not() -> None:
    model = tiny.model()
    use_per_class_delta_stats(model)
    generator = torch.Generator().manual_seed(0)
    model.delta_mean.copy_(torch.randn(3, 4, generator=generator))
    model.delta_std.copy_(torch.rand(3, 4, generator=generator) + 0.5)
    batch = tiny.batch()
    plain = fold_delta_normalization(model.eval())
    ours, theirs = (each(batch.images, batch.rois).deltas for each in (model, plain))
    assert torch.allclose(theirs, ours * model.delta_std + model.delta_mean, atol=1e-6)
    assert plain.delta_std.tolist() == [1, 1, 1, 1]
    assert fold_delta_normalization(plain) is plain


def test_targets_are_normalised_by_the_class_of_their_region() -> None:
    """A box layer of zeros: the loss of a region is smooth L1 of its normalised target."""
    model = tiny.model()
    disable_box_regression(model)
    use_per_class_delta_stats(model)
    model.delta_mean[1], model.delta_std[1] = 1.0, 2.0
    batch = tiny.batch(count=1, rois=3)  # background, class 1, class 2
    batch = batch._replace(deltas=torch.tensor([[0.0] * 4, [2.0] * 4, [0.5] * 4]))
    passes = TrainStep(Forward(model), TrainConfig(), SINGLE_PROCESS)
    box = passes(batch, StepInputs(0, 3, 1.0)).box
    # Class 1: (2 - 1) / 2 = 0.5, four times 0.5 · 0.25; class 2: 0.5 as it is.
    assert abs(box.item() - (0.5 + 0.5) / 3) < 1e-6
