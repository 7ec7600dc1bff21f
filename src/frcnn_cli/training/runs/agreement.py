"""Checks that the ranks of a run agree on what each of them found out for itself."""

from __future__ import annotations

import logging
import platform
from dataclasses import replace
from pathlib import Path

from frcnn_cli.cache.keys import content_hash
from frcnn_cli.config import TrainConfig
from frcnn_cli.errors import CheckpointError, ConfigError
from frcnn_cli.training.batches.split_data import SplitData
from frcnn_cli.training.distributed.context import DistributedContext
from frcnn_cli.training.runs.folder import STATE, RunFolder

_LOGGER = logging.getLogger(__name__)


def check_batch_divides(config: TrainConfig, processes: int) -> None:
    """Raises if the settings do not allow so many processes.

    Raises:
        ConfigError: there are more processes than images per step, or the stages of Table 6.
    """
    batch = config.schedule.images_per_batch
    if processes > 1 and config.schedule.stage_wise:
        raise ConfigError("stage_wise trains in one process", remedy="use --gpus 1 or 0")
    if processes > batch:
        raise ConfigError(
            f"{processes} processes cannot share a batch of {batch}",
            remedy=f"use --batch {processes} or more, or fewer processes",
        )


def intersect_across_ranks(data: SplitData | None, context: DistributedContext) -> SplitData | None:
    """Returns the images that every rank can use; None if there are none.

    An image may be missing on one machine, or its search may fail in one process. All ranks need
    the same images, as their order follows from their number.
    """
    if context.world_size == 1:
        return data
    mine = [] if data is None else [sample.image_id for sample in data.samples]
    everywhere = set.intersection(*map(set, context.all_gather(mine)))
    if data is None or not everywhere:
        return None
    samples = [sample for sample in data.samples if sample.image_id in everywhere]
    if len(samples) < len(mine):
        _LOGGER.warning(
            "%d images of %s are left out, as another process cannot use them",
            len(mine) - len(samples),
            data.name,
        )
    return replace(data, samples=samples)


def check_same_state(run: RunFolder, context: DistributedContext) -> None:
    """Raises unless all ranks resume from the same step of the same run.

    Raises:
        CheckpointError: a machine has another state, such as that of an earlier step.
    """
    states = context.all_gather((run.path.name, content_hash(run.path / STATE)))
    if len(set(states)) > 1:
        raise CheckpointError(
            "is not the same file in every process of the run",
            remedy="name the run with --run, and copy its folder to every machine",
            file=run.path / STATE,
        )


def agree_on_folder(folder: RunFolder | None, context: DistributedContext) -> tuple[Path, bool]:
    """Returns the path of the run's folder, and whether this rank sees that very folder there.

    Args:
        folder: None in every rank but 0.
        context: rank and world size of this process.
    """
    path = context.all_gather(None if folder is None else folder.path)[0] or Path()
    places = context.all_gather(_place_of(path))
    return path, places[context.rank] == places[0]


def _place_of(path: Path) -> tuple[str, int, int] | None:
    """Returns an identity of a folder, unique over all machines; None if there is none."""
    try:
        found = path.stat()
    except OSError:
        return None
    return platform.node(), found.st_dev, found.st_ino
