"""Training recipes by name: `default`, what was measured to work, `paper` and `caffe`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal, get_args

from frcnn_cli.config import (
    AugmentationConfig,
    InputConfig,
    LossConfig,
    OptimizerConfig,
    SamplingConfig,
    ScheduleConfig,
    TrainConfig,
    flat,
    override,
)
from frcnn_cli.errors import ConfigError

RecipeName = Literal["default", "paper", "caffe"]


@dataclass(frozen=True)
class Recipe:
    """Training settings of a backbone, and the size of the images that it then expects."""

    train: TrainConfig = field(default_factory=TrainConfig)
    input: InputConfig = field(default_factory=InputConfig)


PAPER = Recipe()
"""§2.3 and §4: 40k SGD steps of 2 images × 64 RoIs, short side 600."""

CAFFE = Recipe(
    TrainConfig(
        OptimizerConfig(bias_decay=False),
        sampling=SamplingConfig(add_gt=True, train_on_difficult=True),
        loss=LossConfig(class_statistics=True),
        augmentation=AugmentationConfig(flip_prob=0.0, flip_copies=True),
    )
)
"""What the Caffe release does and the paper does not say."""

_LITE = Recipe(
    TrainConfig(
        OptimizerConfig(
            optimizer="adamw",
            lr=0.001,
            backbone_lr_factor=0.05,
            bias_lr_factor=1.0,
            weight_decay=0.05,
            max_grad_norm=10.0,
            dropout=0.3,
            ema=0.998,
        ),
        ScheduleConfig(iterations=600, epochs=8.0, lr_schedule="cosine", warmup_steps=100),
        SamplingConfig(rois_per_image=128, add_gt=True),
        augmentation=AugmentationConfig(short_sides=(448, 528, 608)),
    ),
    InputConfig(600, 1000),
)

DEFAULTS: Mapping[str, Recipe] = {"efficientnet_lite0": _LITE, "efficientnet_lite2": _LITE}
"""Recipes that were measured (docs/log.md); the other backbones take the paper's."""

_PAPER_BY_SIZE = Recipe(TrainConfig(schedule=ScheduleConfig(iterations=600, epochs=16.0)))
"""The paper's, for data of any size: its 40k steps are 16 passes over the 5,011 images of VOC07."""


def for_batch(train: TrainConfig, batch: int) -> TrainConfig:
    """Returns the recipe for `batch` images per step (Goyal et al. 2017, linear scaling).

    k times as many images take k times the rate and a k-th of the steps, and of the warm-up; the
    averaged weights forget as much per image.
    """
    schedule, optimizer = train.schedule, train.optimizer
    k = batch / schedule.images_per_batch
    scaled = {
        "images_per_batch": batch,
        "lr": optimizer.lr * k,
        "iterations": max(1, round(schedule.iterations / k)),
        "warmup_steps": round(schedule.warmup_steps / k),
        "ema": optimizer.ema**k if optimizer.ema else 0.0,
    }
    return override(train, scaled)


def for_images(train: TrainConfig, count: int) -> TrainConfig:
    """Returns the recipe with the number of steps that its `epochs` take, if they are more."""
    schedule = train.schedule
    steps = round(schedule.epochs * count / schedule.images_per_batch)
    return override(train, {"iterations": max(steps, schedule.iterations), "epochs": 0.0})


def recipe(name: RecipeName, backbone: str) -> Recipe:
    """Returns the recipe `name` of a backbone; networks of timm take efficientnet_lite0's.

    They have the same head. It was not measured with them.

    Raises:
        ConfigError: there is no such recipe.
    """
    if name not in get_args(RecipeName):
        known = ", ".join(get_args(RecipeName))
        raise ConfigError(f"recipe is {name!r}", remedy=f"use one of {known}")
    if name != "default":
        return CAFFE if name == "caffe" else PAPER
    if backbone.startswith("timm/"):
        return _LITE
    return DEFAULTS.get(backbone, _PAPER_BY_SIZE)


_TOLD_APART = {"iterations", "epochs", "images_per_batch", "lr"}
"""Settings that a run shows as its steps and its schedule."""


def nearest(train: TrainConfig, backbone: str) -> tuple[RecipeName, dict[str, object]]:
    """Returns the recipe that a backbone's training is closest to, and the fields that differ.

    Steps, batch and learning rate are not compared.
    """
    differences = {name: changes(name, train, backbone) for name in get_args(RecipeName)}
    name = min(differences, key=lambda each: len(differences[each]))
    return name, differences[name]


def changes(name: RecipeName, train: TrainConfig, backbone: str) -> dict[str, object]:
    """Returns the settings in which a training differs from the recipe `name`, as `nearest`.

    Args:
        name: of the recipe.
        train: the training.
        backbone: of its network, on which recipes depend.
    """
    before = flat(for_batch(recipe(name, backbone).train, train.schedule.images_per_batch))
    return {
        field: value
        for field, value in flat(train).items()
        if field not in _TOLD_APART and value != before[field]
    }
