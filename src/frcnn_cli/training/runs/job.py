"""The job of a training run."""

from __future__ import annotations

import logging
import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Self

import msgspec

from frcnn_cli.cache.checkpoints import read_model, read_tiles
from frcnn_cli.cache.store import Cache
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
from frcnn_cli.detection.choice import choose_checkpoint, proposals_for
from frcnn_cli.errors import ConfigError
from frcnn_cli.training.pretrained import WEIGHTS_BY_NAME, checkpoint_file

_LOGGER = logging.getLogger(__name__)
_NO_FILE = Settings({})


@dataclass(frozen=True)
class TrainJob:
    """Data, network and settings of a training run.

    Attributes:
        data: folder of the data set.
        split: images to train on; None chooses by the splits that the data has.
        model: the network.
        recipe: training settings, and the size of the images that the detector will expect.
        proposals: settings of the region search.
        weights: "imagenet", "none", "bundled" or a file.
    """

    data: Path
    split: str | None
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
_SIZES_AGREE = 1.25
"""Factor by which objects may be larger or smaller in detection than in training."""


def new_job(
    data: Path,
    chosen: Mapping[str, Any],
    settings: Settings = _NO_FILE,
    *,
    split: str | None = None,
    weights: str = "imagenet",
    recipe_name: RecipeName = "default",
    proposals: ProposalConfig | None = None,
    tiles: int | None = None,
    processes: int = 1,
) -> TrainJob:
    """Returns what is to be trained: defaults < recipe < `settings` < `chosen`.

    The recipe is scaled to the images per step: those chosen, or else its own for each process.
    Chosen sizes of images in training or in detection set the other one too.

    Args:
        data: folder of the data set.
        chosen: settings of [model], [input] and [train] by name; None where one is not given.
        settings: of a `frcnn.toml`.
        split: images to train on; None chooses by the splits that the data has.
        weights: of `first_weights`; the backbone, the pool and the tiles of a checkpoint are the
            defaults.
        recipe_name: the recipe.
        proposals: settings of the region search; None: those of `settings`.
        tiles: side of the windows, if not None; without effect on given `proposals`.
        processes: that train together.

    Raises:
        ConfigError: an unknown setting, or a value out of range.
    """
    sections: dict[str, type[Config]] = {"model": ModelConfig, "input": InputConfig}
    picked: dict[str, dict[str, Any]] = {"model": {}, "input": {}, "train": {}}
    for name, value in chosen.items():
        named = (each for each, section in sections.items() if name in section.settings())
        picked[next(named, "train")][name] = value
    start = checkpoint_file(weights)
    model = settings.apply(_model_defaults(start), **picked["model"])
    base = recipe(recipe_name, model.backbone)
    from_file, train, seen = settings.tables.get("train", {}), picked["train"], picked["input"]
    batch = (
        train.get("images_per_batch")
        or from_file.get("images_per_batch")
        or base.train.schedule.images_per_batch * processes
    )
    length = length_of(train.get("iterations"), train.get("epochs"))
    length = length or length_of(from_file.get("iterations"), from_file.get("epochs"), both=True)
    if train.get("short_sides") is None and seen.get("short_side") is not None:
        train["short_sides"] = [seen["short_side"]]
    sides = override(TrainConfig(), {"short_sides": train.get("short_sides")}).augmentation
    given = sides.short_sides if train.get("short_sides") else ()
    schedule = settings.apply(
        _variant(for_batch(base.train, batch), given, doubled=bool(train.get("stage_wise"))),
        **{**train, **length, "images_per_batch": batch},
    )
    expected = settings.apply(_expected(base.input, given), **seen)
    _warn_of_sizes(schedule.augmentation.short_sides, expected.short_side)
    return TrainJob(
        data,
        split,
        model,
        Recipe(schedule, expected),
        proposals or proposals_for(0 if start is None else read_tiles(start), settings, tiles),
        weights,
    )


def first_weights(given: str | os.PathLike[str], cache: Cache) -> str:
    """Resolves the weights that a user means to "imagenet", "none", "bundled" or an absolute path.

    Args:
        given: one of these, any path of a file, or the folder or the name of a run.
        cache: holds the runs.

    Raises:
        CheckpointError: there is no such file or run.
    """
    name = os.fspath(given)
    if name in WEIGHTS_BY_NAME:
        return name
    return str(choose_checkpoint(Path(name), cache).file.absolute())


def _model_defaults(file: Path | None) -> ModelConfig:
    """Returns the network of a checkpoint, whole; the default of any other file, and of None."""
    theirs = None if file is None else read_model(file)
    return ModelConfig() if theirs is None else ModelConfig(theirs.backbone, theirs.pool)


def length_of(
    iterations: int | None, epochs: float | None, *, both: bool = False
) -> dict[str, Any]:
    """Returns how long to train if it is given: alone, each replaces both values of the recipe.

    Args:
        iterations: steps.
        epochs: passes over the images.
        both: whether the longer of the two is meant, where both are given.

    Raises:
        ConfigError: both are given.
    """
    if iterations is not None and epochs is not None:
        if both:
            return {}
        raise ConfigError("iterations and epochs are both given", remedy="use one of the two")
    if epochs:
        return {"iterations": 1, "epochs": epochs}
    return {} if iterations is None else {"iterations": iterations, "epochs": 0.0}


def _variant(train: TrainConfig, sides: tuple[int, ...], *, doubled: bool) -> TrainConfig:
    """Returns the recipe with room for what the flags of §5 want; a file may still change it.

    Args:
        train: the recipe.
        sides: short sides of the images, if they are given.
        doubled: whether there are two stages, each of them with all steps.
    """
    if doubled:
        schedule = train.schedule
        twice = {"iterations": 2 * schedule.iterations, "epochs": 2 * schedule.epochs}
        train = override(train, twice)
    if len(sides) > 1:
        train = override(train, {"long_side": _SEVERAL_SCALES_CAP})
    elif sides:
        longest = max(train.augmentation.long_side, _longest(sides[0]))
        train = override(train, {"long_side": longest})
    return train


def _expected(base: InputConfig, sides: tuple[int, ...]) -> InputConfig:
    """Returns the size of the images in detection: the largest of training, if that is given."""
    if not sides:
        return base
    return InputConfig(max(sides), max(base.long_side, _longest(max(sides))))


def _longest(side: int) -> int:
    """Returns the cap on the long side for a short one, as 1000 is for 600 (§4)."""
    return round(side * 5 / 3)


def _warn_of_sizes(trained: tuple[int, ...], expected: int) -> None:
    if not min(trained) / _SIZES_AGREE <= expected <= max(trained) * _SIZES_AGREE:
        _LOGGER.warning(
            "the short side is %s pixels in training and %d in detection, where objects will have "
            "another size: set short_sides in [train] and short_side in [input] alike",
            " to ".join(map(str, sorted({min(trained), max(trained)}))),
            expected,
        )


class _Saved(msgspec.Struct):
    """Structure of the JSON that `TrainJob.to_json` writes."""

    data: str
    split: str | None
    weights: str
    model: dict[str, Any]
    input: dict[str, Any]
    train: dict[str, Any]
    proposals: dict[str, Any]
