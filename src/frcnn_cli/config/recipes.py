"""Training recipes by name: `default`, what was measured to work, `paper` and `caffe`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from typing import Literal, get_args

from frcnn_cli.config import InputConfig, TrainConfig

RecipeName = Literal["default", "paper", "caffe"]


@dataclass(frozen=True)
class Recipe:
    """How a backbone is trained, and the size of the photographs that it then expects."""

    train: TrainConfig = field(default_factory=TrainConfig)
    input: InputConfig = field(default_factory=InputConfig)


PAPER = Recipe()
"""§2.3 and §4: 40k SGD steps of 2 photographs × 64 RoIs, short side 600."""

CAFFE = Recipe(
    TrainConfig(
        bias_decay=False,
        add_gt=True,
        difficult=True,
        class_statistics=True,
        flip=0.0,
        flip_copies=True,
    )
)
"""What the Caffe release does and the paper does not say."""

_LITE = Recipe(
    TrainConfig(
        iterations=600,
        epochs=8.0,
        optimizer="adamw",
        lr=0.001,
        lr_trunk=0.05,
        lr_schedule="cosine",
        warmup=100,
        weight_decay=0.05,
        bias_lr=1.0,
        clip_norm=10.0,
        rois_per_image=128,
        add_gt=True,
        short_sides=(448, 528, 608),
        dropout=0.3,
        ema=0.998,
    ),
    InputConfig(600, 1000),
)

DEFAULTS: Mapping[str, Recipe] = {"efficientnet_lite0": _LITE}
"""Recipes that were measured (docs/log.md); the other backbones take the paper's."""


def for_batch(train: TrainConfig, batch: int) -> TrainConfig:
    """Returns the recipe for `batch` photographs a step (Goyal et al. 2017, linear scaling).

    k times as many photographs take k times the rate and a k-th of the steps, and of the warm-up;
    the averaged weights forget as much by photograph.
    """
    k = batch / train.images_per_batch
    return replace(
        train,
        images_per_batch=batch,
        lr=train.lr * k,
        iterations=max(1, round(train.iterations / k)),
        warmup=round(train.warmup / k),
        ema=train.ema**k if train.ema else 0.0,
    )


def for_photographs(train: TrainConfig, count: int) -> TrainConfig:
    """Returns the recipe with the number of steps that its `epochs` take, if they are more."""
    steps = round(train.epochs * count / train.images_per_batch)
    return replace(train, iterations=max(steps, train.iterations), epochs=0.0)


def recipe(name: RecipeName, backbone: str) -> Recipe:
    """Returns the recipe `name` of a backbone; networks of timm take efficientnet_lite0's.

    They have the same head. It was not measured with them.
    """
    if name != "default":
        return CAFFE if name == "caffe" else PAPER
    if backbone.startswith("timm/"):
        return _LITE
    return DEFAULTS.get(backbone, PAPER)


_TOLD_APART = {"iterations", "epochs", "images_per_batch", "lr"}
"""Fields that a run tells of as its steps and its schedule."""


def nearest(train: TrainConfig, backbone: str) -> tuple[RecipeName, dict[str, object]]:
    """Returns the recipe that a backbone's training is closest to, and the fields that differ.

    Steps, batch and learning rate are not compared.
    """
    differences = {
        name: _changes(for_batch(recipe(name, backbone).train, train.images_per_batch), train)
        for name in get_args(RecipeName)
    }
    name = min(differences, key=lambda each: len(differences[each]))
    return name, differences[name]


def _changes(base: TrainConfig, train: TrainConfig) -> dict[str, object]:
    values = {each.name: getattr(train, each.name) for each in fields(train)}
    return {
        name: value
        for name, value in values.items()
        if name not in _TOLD_APART and value != getattr(base, name)
    }
