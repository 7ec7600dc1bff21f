"""One photograph → its proposals: what a worker process does."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from frcnn_cli.cache.claims import claimed
from frcnn_cli.cache.proposals import described, load_proposals, save_proposals
from frcnn_cli.cache.store import Cache
from frcnn_cli.config import ProposalConfig
from frcnn_cli.data.images import load_image
from frcnn_cli.errors import FrcnnError, ProposalError
from frcnn_cli.proposals import opencv
from frcnn_cli.proposals.search import library, require_engine, search
from frcnn_cli.records import FloatArray

_LOGGER = logging.getLogger(__name__)


@dataclass(frozen=True)
class SearchTask:
    """A photograph to be searched.

    Attributes:
        path: the photograph.
        key: of its proposals in the cache.
        config: how its regions are searched.
        cache: where they are kept.
        force: whether to search it also where the cache has its proposals.
        wait: whether to wait for another process that is searching it.
    """

    path: Path
    key: str
    config: ProposalConfig
    cache: Cache
    force: bool = False
    wait: bool = False


@dataclass(frozen=True)
class Found:
    """The proposals of a photograph are in the cache.

    Attributes:
        boxes: how many.
        searched: whether this task searched them; else another process has done so meanwhile.
    """

    boxes: int
    searched: bool


@dataclass(frozen=True)
class Taken:
    """Another process is searching the photograph, and the task did not wait."""


def set_up_worker(config: ProposalConfig, *, alone: bool) -> None:
    """Prepares a process that searches photographs.

    Args:
        config: how they are searched.
        alone: whether it is the only one, and may use all cores.

    Raises:
        ProposalError: what the engine needs is missing.
    """
    if not alone:
        opencv.use_one_thread()
    require_engine(config)  # loads compiled code before the clock of the first photograph starts


def search_once(task: SearchTask) -> Found | Taken | FrcnnError:
    """Searches a photograph and keeps its proposals, unless another process does or has done so.

    Returns why there are none instead of raising it, so that the other photographs go on.
    """
    try:
        if task.force:
            return Found(len(search_and_keep(task)), searched=True)
        with claimed(task.cache, task.key, wait=task.wait) as mine:
            if not mine:
                return Taken()
            kept = load_proposals(task.cache, task.key)
            if kept is not None:
                return Found(len(kept), searched=False)
            return Found(len(search_and_keep(task)), searched=True)
    except FrcnnError as error:
        return error
    except Exception as error:  # whatever it is, it must not stop the other photographs
        return ProposalError(f"{type(error).__name__}: {error}", file=task.path)


def search_and_keep(task: SearchTask, image: npt.NDArray[np.uint8] | None = None) -> FloatArray:
    """Returns the proposals (N, 4) of a photograph, best first, having kept them.

    Args:
        task: the photograph.
        image: its pixels (H, W, 3), RGB and upright, if it is decoded already.

    Raises:
        FrcnnError: the photograph cannot be read or searched, or the cache not be written.
    """
    boxes = search_photograph(load_image(task.path) if image is None else image, task)
    save_proposals(task.cache, task.key, boxes, described(task.config, library(task.config)))
    return boxes


def search_photograph(image: npt.NDArray[np.uint8], task: SearchTask) -> FloatArray:
    """Returns the proposals (N, 4) of a photograph with the pixels `image` (H, W, 3), best first.

    Raises:
        ProposalError: the search failed.
    """
    try:
        regions = search(image, task.config)
    except ProposalError as error:
        raise ProposalError(error.problem, remedy=error.remedy, file=task.path) from error
    if regions.has_windows:
        _LOGGER.warning(
            "%s: too few regions found (%d), as in a flat picture; sliding windows are added",
            task.path,
            regions.found,
        )
    return regions.boxes
