"""The job that a command line of `frcnn train` describes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import typer

from frcnn_cli.cli import options
from frcnn_cli.config import ModelConfig, ProposalConfig, TrainConfig, override
from frcnn_cli.config.recipes import Recipe, for_batch, recipe
from frcnn_cli.errors import ConfigError

if TYPE_CHECKING:
    from frcnn_cli.training.runs.job import TrainJob

_FIELDS = options.flagged(TrainConfig)
"""Options that are fields of `[train]`."""
_WHEN_RESUMED = {
    *("data", "gpus", "processes", "run", "resume", "cache_dir", "quiet", "verbose", "as_json"),
    "tensorboard",
    *(name for name, each in _FIELDS.items() if each.flag and each.flag.when_resumed),
}
"""Options that a resumed run may have; the others would make it another run."""


def resumed_job(job: TrainJob, context: typer.Context) -> TrainJob:
    """Returns the job of a resumed run, with the changes that the command line makes.

    Raises:
        ConfigError: an option that would make it another run.
    """
    given = {
        name: value
        for name, value in context.params.items()
        if (source := context.get_parameter_source(name)) and source.name == "COMMANDLINE"
    }
    for parameter in context.command.params:
        if parameter.name in given.keys() - _WHEN_RESUMED:
            raise ConfigError(
                f"{parameter.opts[0]} is given with --resume, but a resumed run keeps its settings",
                remedy="leave it out, or start a new run",
            )
    changes = {name: given[name] for name in _FIELDS if name in given}
    schedule = override(job.recipe.train, changes)
    return replace(
        job, data=given.get("data", job.data), recipe=replace(job.recipe, train=schedule)
    )


def new_job(settings: options.Settings, chosen: Mapping[str, Any], processes: int) -> TrainJob:
    """Returns what is to be trained: defaults < recipe < `frcnn.toml` < flags.

    The recipe is scaled to the images per step: `--batch`, or else the recipe's for each process.

    Args:
        settings: of `frcnn.toml`.
        chosen: the options by name; None where one is not given.
        processes: that train together.
    """
    from frcnn_cli.training.runs.job import TrainJob

    network = {name: chosen[name] for name in options.flagged(ModelConfig)}
    model = settings.apply("model", ModelConfig(), **network)
    base = recipe(chosen["recipe_name"], model.backbone)
    in_file = settings.tables.get("train", {}).get("images_per_batch")
    batch = chosen["batch"] or in_file or base.train.schedule.images_per_batch * processes
    schedule: TrainConfig = settings.apply(
        "train",
        _variant(for_batch(base.train, batch), chosen),
        epochs=0.0 if _counts_steps(chosen["iterations"], settings) else None,
        images_per_batch=batch,
        **_variant_flags(chosen),
        **{name: chosen[name] for name in _FIELDS},
    )
    return TrainJob(
        chosen["data"],
        chosen["split"],
        model,
        Recipe(schedule, settings.apply("input", base.input)),
        settings.apply("proposals", ProposalConfig()),
        chosen["weights"],
    )


_SEVERAL_SCALES_CAP = 2000
"""Pixels of the longer side where there are several scales (§2.4)."""


def _variant(train: TrainConfig, chosen: Mapping[str, Any]) -> TrainConfig:
    """Returns the recipe with room for what the flags of §5 want; a file may still change it."""
    if chosen["stage_wise"]:
        schedule = train.schedule
        doubled = {"iterations": 2 * schedule.iterations, "epochs": 2 * schedule.epochs}
        train = override(train, doubled)
    if len(_short_sides(chosen) or ()) > 1:
        train = override(train, {"long_side": _SEVERAL_SCALES_CAP})
    return train


def _variant_flags(chosen: Mapping[str, Any]) -> dict[str, Any]:
    """Returns the fields of `[train]` that the flags of §5 set; None leaves one as it is."""
    return {
        "box_loss_weight": 0.0 if chosen["no_box_regression"] else None,
        "short_sides": _short_sides(chosen),
    }


def _short_sides(chosen: Mapping[str, Any]) -> tuple[int, ...] | None:
    return options.whole_numbers("--scales", chosen["scales"], "480,576,688")


def scaling(job: TrainJob, chosen: Mapping[str, Any]) -> str:
    """Returns how the recipe was scaled to the batch, in words; "" where it was not."""
    base = recipe(chosen["recipe_name"], job.model.backbone).train
    now = job.recipe.train
    k = now.schedule.images_per_batch / base.schedule.images_per_batch
    if k == 1:
        return ""
    return (
        f"linear scaling from {base.schedule.images_per_batch} to {now.schedule.images_per_batch} "
        f"images per step: learning rate {base.optimizer.lr:g} → {now.optimizer.lr:g}, "
        f"{1 / k:.3g} times the steps"
    )


def _counts_steps(iterations: int | None, settings: options.Settings) -> bool:
    """Returns whether the user set the number of steps; the recipe's passes then do not count."""
    table = settings.tables.get("train", {})
    return iterations is not None or ("iterations" in table and "epochs" not in table)
