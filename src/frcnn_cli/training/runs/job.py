"""The job of a training run."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Self

import msgspec

from frcnn_cli.config import (
    Config,
    InputConfig,
    ModelConfig,
    ProposalConfig,
    Settings,
    TrainConfig,
    from_dict,
    override,
)
from frcnn_cli.config.recipes import Recipe, RecipeName, for_batch, recipe

_NO_FILE = Settings({})


@dataclass(frozen=True)
class TrainJob:
    """What to train.

    Attributes:
        data: folder of the data set.
        split: images to train on.
        model: the network.
        recipe: training settings, and the size of the images that the detector will expect.
        proposals: settings of the region search.
        weights: "imagenet", "none" or a file.
    """

    data: Path
    split: str
    model: ModelConfig
    recipe: Recipe
    proposals: ProposalConfig
    weights: str = "imagenet"

    def to_json(self) -> dict[str, Any]:
        """Returns the job as JSON values, the inverse of `from_json`."""
        return {
            "data": str(self.data.resolve()),
            "split": self.split,
            "weights": self.weights,
            "model": asdict(self.model),
            "input": asdict(self.recipe.input),
            "train": asdict(self.recipe.train),
            "proposals": asdict(self.proposals),
        }

    @classmethod
    def from_json(cls, saved: dict[str, Any]) -> Self:
        """Returns the job that `to_json` wrote.

        Raises:
            ConfigError: a setting is unknown or out of range.
            ValueError: a field is missing or of another type.
        """
        found = msgspec.convert(saved, _Saved)
        recipe = Recipe(from_dict(TrainConfig, found.train), from_dict(InputConfig, found.input))
        return cls(
            Path(found.data),
            found.split,
            from_dict(ModelConfig, found.model),
            recipe,
            from_dict(ProposalConfig, found.proposals),
            found.weights,
        )


_SEVERAL_SCALES_CAP = 2000
"""Pixels of the longer side where there are several scales (§2.4)."""


def new_job(
    data: Path,
    chosen: Mapping[str, Any],
    settings: Settings = _NO_FILE,
    *,
    split: str = "trainval",
    weights: str = "imagenet",
    recipe_name: RecipeName = "default",
    proposals: ProposalConfig | None = None,
    processes: int = 1,
) -> TrainJob:
    """Returns what is to be trained: defaults < recipe < `settings` < `chosen`.

    The recipe is scaled to the images per step: those chosen, or else its own for each process.

    Args:
        data: folder of the data set.
        chosen: settings of [model], [input] and [train] by name; None where one is not given.
        settings: of a `frcnn.toml`.
        split: images to train on.
        weights: "imagenet", "none" or a file.
        recipe_name: the recipe.
        proposals: settings of the region search; None: those of `settings`.
        processes: that train together.

    Raises:
        ConfigError: an unknown setting, or a value out of range.
    """
    sections: dict[str, type[Config]] = {"model": ModelConfig, "input": InputConfig}
    picked: dict[str, dict[str, Any]] = {"model": {}, "input": {}, "train": {}}
    for name, value in chosen.items():
        named = (each for each, section in sections.items() if name in section.settings())
        picked[next(named, "train")][name] = value
    model = settings.apply("model", ModelConfig(), **picked["model"])
    base = recipe(recipe_name, model.backbone)
    from_file, train = settings.tables.get("train", {}), picked["train"]
    batch = (
        train.get("images_per_batch")
        or from_file.get("images_per_batch")
        or base.train.schedule.images_per_batch * processes
    )
    in_steps = "iterations" in from_file and "epochs" not in from_file
    if (in_steps or train.get("iterations")) and train.get("epochs") is None:
        train["epochs"] = 0.0
    schedule = settings.apply(
        "train",
        _variant(for_batch(base.train, batch), train),
        **{**train, "images_per_batch": batch},
    )
    return TrainJob(
        data,
        split,
        model,
        Recipe(schedule, settings.apply("input", base.input, **picked["input"])),
        proposals or settings.apply("proposals", ProposalConfig()),
        weights,
    )


def _variant(train: TrainConfig, chosen: Mapping[str, Any]) -> TrainConfig:
    """Returns the recipe with room for what the flags of §5 want; a file may still change it."""
    if chosen.get("stage_wise"):
        schedule = train.schedule
        doubled = {"iterations": 2 * schedule.iterations, "epochs": 2 * schedule.epochs}
        train = override(train, doubled)
    if len(chosen.get("short_sides") or ()) > 1:
        train = override(train, {"long_side": _SEVERAL_SCALES_CAP})
    return train


class _Saved(msgspec.Struct):
    """What `TrainJob.to_json` writes."""

    data: str
    split: str
    weights: str
    model: dict[str, Any]
    input: dict[str, Any]
    train: dict[str, Any]
    proposals: dict[str, Any]
