"""The runs of a cache: data, recipe, steps, scores, and in which settings they differ."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from frcnn_cli.cache import runs
from frcnn_cli.cache.checkpoints import read_training_facts
from frcnn_cli.cache.inventory import cached_runs
from frcnn_cli.cache.locks import FolderLock
from frcnn_cli.cache.store import Cache
from frcnn_cli.config import ModelConfig, ProposalConfig, flat
from frcnn_cli.config.recipes import for_batch, nearest, recipe
from frcnn_cli.errors import CheckpointError
from frcnn_cli.training.runs.folder import CONFIG, RunFolder
from frcnn_cli.training.runs.job import TrainJob


@dataclass(frozen=True)
class RunSummary:
    """A run.

    Attributes:
        folder: where it is; its name is the run's.
        state: "finished", "training" or "stopped".
        data: folder of the data set.
        split: the images that it is trained on.
        backbone: of the network.
        recipe: the one that its settings are closest to.
        settings: those by which it differs from the recipe and from another run.
        steps: number of steps taken.
        iterations: number of steps configured.
        map_val: highest mAP on the images that select its checkpoint; None without such images.
        map_final: mAP of its best checkpoint at the end; None where it was not scored.
        map_split: the split of `map_final`.
        changed: when it was last written, in seconds since the epoch.
    """

    folder: Path
    state: Literal["finished", "training", "stopped"]
    data: str
    split: str | None
    backbone: str
    recipe: str
    settings: Mapping[str, Any]
    steps: int
    iterations: int
    map_val: float | None
    map_final: float | None
    map_split: str | None
    changed: float


def list_runs(cache: Cache) -> tuple[list[RunSummary], list[CheckpointError]]:
    """Returns the runs, the one written last first, and why others cannot be read."""
    found: list[RunSummary] = []
    failures: list[CheckpointError] = []
    for run in sorted(cached_runs(cache), key=lambda run: run.used, reverse=True):
        if not (run.folder / CONFIG).exists():
            continue  # it has not begun
        try:
            job = RunFolder(run.folder).job()
        except CheckpointError as error:
            failures.append(error)
            continue
        state, facts = runs.RunState.of(run.folder), read_training_facts(run.folder / runs.BEST)
        closest, settings = _settings(job)
        finished = state is not None and state.is_finished
        found.append(
            RunSummary(
                run.folder,
                "finished" if finished else "training" if _is_held(run.folder) else "stopped",
                str(job.data),
                job.split,
                job.model.backbone,
                closest,
                settings,
                run.steps,
                job.recipe.train.schedule.iterations,
                run.best_map,
                facts.get("map"),
                facts.get("map_split"),
                run.used,
            )
        )
    return _without_common(found), failures


def _settings(job: TrainJob) -> tuple[str, dict[str, Any]]:
    """Returns the recipe that a run is closest to, and the settings that differ from it."""
    train, backbone = job.recipe.train, job.model.backbone
    closest, changes = nearest(train, backbone)
    base = recipe(closest, backbone)
    batch = train.schedule.images_per_batch
    scaled = for_batch(base.train, batch).optimizer.lr
    if train.optimizer.lr != scaled:
        changes["lr"] = train.optimizer.lr
    if batch != base.train.schedule.images_per_batch:
        changes["images_per_batch"] = batch
    for section, start in (
        (job.model, ModelConfig(backbone)),
        (job.recipe.input, base.input),
        (job.proposals, ProposalConfig()),
    ):
        before = flat(start)
        changes |= {name: value for name, value in flat(section).items() if value != before[name]}
    if job.weights != "imagenet":
        changes["weights"] = job.weights
    return closest, changes


def _without_common(found: Sequence[RunSummary]) -> list[RunSummary]:
    """Returns the runs without the settings that all of several have alike."""
    if len(found) < 2:
        return list(found)
    first = found[0].settings
    common = {
        name
        for name, value in first.items()
        if all(name in run.settings and run.settings[name] == value for run in found)
    }
    return [
        dataclasses.replace(
            run, settings={k: v for k, v in run.settings.items() if k not in common}
        )
        for run in found
    ]


def _is_held(folder: Path) -> bool:
    """Returns whether another process trains the run."""
    lock = FolderLock.acquire(folder)
    if lock is not None:
        lock.release()
    return lock is None
