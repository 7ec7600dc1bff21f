"""Region search of one image, as a worker process runs it."""

from __future__ import annotations

from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from frcnn_cli.cache.locks import claimed
from frcnn_cli.cache.proposals import described, load_proposals, save_proposals
from frcnn_cli.cache.store import Cache
from frcnn_cli.config import ProposalConfig
from frcnn_cli.data.images import load_image
from frcnn_cli.errors import FrcnnError, ProposalError
from frcnn_cli.proposals import opencv
from frcnn_cli.proposals.search import library, require_engine, search
from frcnn_cli.records import FloatArray


@dataclass(frozen=True)
class SearchTask:
    """An image to search.

    Attributes:
        path: the image.
        key: of its proposals in the cache.
        config: settings of the search.
        cache: where the proposals are kept.
        force: whether to search it even if the cache has its proposals.
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
    """The proposals of an image are in the cache.

    Attributes:
        boxes: how many.
        searched: whether this task searched them; else another process did meanwhile.
    """

    boxes: int
    searched: bool


@dataclass(frozen=True)
class AlreadyClaimed:
    """Another process is searching the image, and the task did not wait."""


def set_up_worker(config: ProposalConfig, *, alone: bool) -> None:
    """Prepares a process that searches images.

    Args:
        config: settings of the search.
        alone: whether it is the only one, and may use all cores.

    Raises:
        ProposalError: what the engine needs is missing.
    """
    if not alone:
        opencv.use_one_thread()
    require_engine(config)  # loads compiled code before the clock of the first image starts


def search_and_keep(image: npt.NDArray[np.uint8], task: SearchTask) -> FloatArray:
    """Searches the image (H, W, 3) RGB of a task; returns its boxes (N, 4), which the cache keeps.

    Raises:
        ProposalError: the search failed.
        CacheError: the cache cannot be written.
    """
    boxes = search(image, task.config, task.path)
    save_proposals(task.cache, task.key, boxes, described(task.config, library(task.config)))
    return boxes


def search_once(task: SearchTask) -> Found | AlreadyClaimed | FrcnnError:
    """Searches an image and keeps its proposals, unless another process does or has done so.

    Returns an error instead of raising it, so that the other images go on.
    """
    claim = nullcontext(True) if task.force else claimed(task.cache.root, task.key, wait=task.wait)
    try:
        with claim as is_ours:
            if not is_ours:
                return AlreadyClaimed()
            kept = None if task.force else load_proposals(task.cache, task.key)
            if kept is not None:
                return Found(len(kept), searched=False)
            boxes = search_and_keep(load_image(task.path), task)
            return Found(len(boxes), searched=True)
    except FrcnnError as error:
        return error
    except Exception as error:  # whatever it is, it must not stop the other images
        return ProposalError(f"{type(error).__name__}: {error}", file=task.path)
