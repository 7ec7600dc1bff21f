"""The job that a command line of `frcnn train` describes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from frcnn_cli.cli import options
from frcnn_cli.config import (
    InputConfig,
    ModelConfig,
    Settings,
    TrainConfig,
    flat,
    override,
)
from frcnn_cli.config.recipes import changes, nearest, recipe
from frcnn_cli.errors import ConfigError

if TYPE_CHECKING:
    from frcnn_cli.cache.store import Cache
    from frcnn_cli.training.runs.job import TrainJob

_FIELDS = options.flagged(TrainConfig)
"""Options that are fields of `[train]`."""
_WHEN_RESUMED = {
    *("data", "gpus", "processes", "run", "resume", "cache_dir", "quiet", "verbose", "as_json"),
    "tensorboard",
    *(name for name, each in _FIELDS.items() if each.flag and each.flag.when_resumed),
}
"""Options that a resumed run may have with another value; that makes it no other run."""


def resumed_job(job: TrainJob, context: typer.Context, cache: Cache) -> TrainJob:
    """Returns the job of a resumed run, with the changes that the command line makes.

    Args:
        job: of the run.
        context: of the command line.
        cache: holds the runs that --weights may name.

    Raises:
        ConfigError: an option that would make it another run.
    """
    from frcnn_cli.training.runs.job import length_of

    given = {
        name: value
        for name, value in context.params.items()
        if (source := context.get_parameter_source(name)) and source.name == "COMMANDLINE"
    }
    for parameter in context.command.params:
        name = parameter.name or ""
        if name in given.keys() - _WHEN_RESUMED:
            _require_same(parameter.opts[0], name, given[name], job, cache)
    length = length_of(given.get("iterations"), given.get("epochs"))
    fields = {name: given[name] for name in _FIELDS if name in given}
    schedule = override(job.recipe.train, fields | length)
    return replace(
        job, data=given.get("data", job.data), recipe=replace(job.recipe, train=schedule)
    )


def _require_same(option: str, name: str, value: Any, job: TrainJob, cache: Cache) -> None:
    """Raises unless an option that is given with --resume has the value of the run.

    Raises:
        ConfigError: it has another value, or does not go with --resume.
    """
    from frcnn_cli.training.pretrained import checkpoint_file
    from frcnn_cli.training.runs.job import first_weights

    train, backbone = job.recipe.train, job.model.backbone
    sections = (job.model, job.recipe.input, train)
    ours: Any = {each: setting for part in sections for each, setting in flat(part).items()}
    ours |= {
        "split": job.split,
        "weights": job.weights,
        "batch": train.schedule.images_per_batch,
        "no_box_regression": not train.loss.box_loss_weight,
        "scales": train.augmentation.short_sides,
        "recipe_name": nearest(train, backbone)[0],
        "tiles": job.proposals.tiles,
    }
    if name == "scales":
        value = _short_sides(value)
    elif name == "weights":
        file = checkpoint_file(job.weights)
        if file is not None and not file.exists():
            return  # the run that they are from is gone, and a resumed run has its own
        value = first_weights(value, cache)
    elif name == "recipe_name" and len(changes(value, train, backbone)) == len(
        changes(ours[name], train, backbone)
    ):
        return  # equal but for the number of steps
    elif name == "config":
        _require_same_file(value, job)
        return
    if name not in ours:
        raise ConfigError(f"{option} is given with --resume", remedy="use one of the two")
    if value != ours[name]:
        raise ConfigError(
            f"{option} is {value}, but the run to resume has {ours[name]}",
            remedy="leave it out, or start a new run",
        )


def _require_same_file(file: Path, job: TrainJob) -> None:
    """Raises unless the settings in `file` that a resumed run must keep are those of the run.

    Raises:
        ConfigError: one of them is another.
    """
    tables = Settings.load(file).tables
    parts = {"model": job.model, "input": job.recipe.input, "train": job.recipe.train}
    for section, config in {**parts, "proposals": job.proposals}.items():
        for name, value in tables.get(section, {}).items():
            ours = config.settings()[name].of(config)
            if name not in _WHEN_RESUMED and override(config, {name: value}) != config:
                raise ConfigError(
                    f"{name} is {value}, but the run to resume has {ours}",
                    remedy="leave --config out, or start a new run",
                    file=file,
                )


def new_job(
    settings: Settings, chosen: Mapping[str, Any], processes: int, cache: Cache
) -> TrainJob:
    """Returns what is to be trained: defaults < recipe < `frcnn.toml` < flags.

    Args:
        settings: of `frcnn.toml`.
        chosen: the options by name; None where one is not given.
        processes: that train together.
        cache: holds the runs that --weights may name.
    """
    from frcnn_cli.training.runs import job as jobs

    flagged = (options.flagged(each) for each in (ModelConfig, InputConfig, TrainConfig))
    fields = {name: chosen[name] for section in flagged for name in section}
    fields["box_loss_weight"] = 0.0 if chosen["no_box_regression"] else None
    fields["short_sides"] = _short_sides(chosen["scales"])
    return jobs.new_job(
        chosen["data"],
        {**fields, "images_per_batch": chosen["batch"]},
        settings,
        split=chosen["split"],
        weights=jobs.first_weights(chosen["weights"], cache),
        recipe_name=chosen["recipe_name"],
        tiles=chosen["tiles"],
        processes=processes,
    )


def _short_sides(scales: str | None) -> tuple[int, ...] | None:
    return options.whole_numbers("--scales", scales, "480,576,688")


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
