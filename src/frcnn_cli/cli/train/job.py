"""The job that a command line of `frcnn train` describes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import typer

from frcnn_cli.cli import options
from frcnn_cli.config import ModelConfig, Settings, TrainConfig, override
from frcnn_cli.config.recipes import recipe
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


def new_job(settings: Settings, chosen: Mapping[str, Any], processes: int) -> TrainJob:
    """Returns what is to be trained: defaults < recipe < `frcnn.toml` < flags.

    Args:
        settings: of `frcnn.toml`.
        chosen: the options by name; None where one is not given.
        processes: that train together.
    """
    from frcnn_cli.training.runs import job

    sides = options.whole_numbers("--scales", chosen["scales"], "480,576,688")
    fields = {name: chosen[name] for name in (*options.flagged(ModelConfig), *_FIELDS)}
    fields["box_loss_weight"] = 0.0 if chosen["no_box_regression"] else None
    return job.new_job(
        chosen["data"],
        {**fields, "short_sides": sides, "images_per_batch": chosen["batch"]},
        settings,
        split=chosen["split"],
        weights=chosen["weights"],
        recipe_name=chosen["recipe_name"],
        processes=processes,
    )


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
