"""Region search: from an image to its ordered boxes, by either engine."""

from __future__ import annotations

import functools
import importlib.util
import logging
from collections.abc import Mapping
from pathlib import Path
from types import ModuleType

import numpy as np
import numpy.typing as npt

from frcnn_cli import boxes as box_arithmetic
from frcnn_cli.config import Engine, ProposalConfig
from frcnn_cli.errors import ProposalError
from frcnn_cli.proposals import fast, opencv
from frcnn_cli.proposals.grid import tiles, windows
from frcnn_cli.proposals.order import best_first
from frcnn_cli.records import FloatArray

_ENGINES: Mapping[Engine, ModuleType] = {"opencv": opencv, "fast": fast}
"""Each is a module with `require()`, `version()` and `search(image, preset)`."""

_RULES = 2
"""Incremented when shrinking, windows or order change: it is part of every cache key."""

_CUT_OFF = 1.0
"""Pixels from a window's inner edge at which a box may end because the window does."""
FEWEST_REGIONS = 8
"""An image with fewer regions (a clear sky, a blank page) gets sliding windows as well."""
_LOGGER = logging.getLogger(__name__)


def library(config: ProposalConfig) -> str:
    """Returns names and versions of the code that searches under `config`, for the cache key.

    Raises:
        ProposalError: it is not installed.
    """
    if _engine(config) is not _ENGINES[config.engine]:
        warn_once()
    return f"{_engine(config).version()}, rules {_RULES}"


def libraries() -> set[str]:
    """Returns `library` of each engine of this installation; empty without OpenCV."""
    try:
        return {f"{engine.version()}, rules {_RULES}" for engine in _ENGINES.values()}
    except ProposalError:
        return set()


def require_engine(config: ProposalConfig) -> None:
    """Loads the engine of `config`, so that a missing one fails once, not once per image.

    Raises:
        ProposalError: something is missing; with the remedy.
    """
    if config.engine != "imported":
        _engine(config).require()


def search(
    image: npt.NDArray[np.uint8], config: ProposalConfig, file: Path | None = None
) -> FloatArray:
    """Returns the boxes (N, 4) that may hold an object: distinct, inside the image, best first.

    All boxes are returned: `config.cap` is applied when they are read. With `config.tiles` these
    are the best of the whole image and of each window; one that a window's edge may have cut off is
    left to its neighbour, or to the whole image.

    Args:
        image: (H, W, 3) RGB, upright.
        config: settings of the search.
        file: the image's file, for errors and for the warning that it is flat.

    Raises:
        ProposalError: what the engine needs is missing, or it failed.
    """
    whole = _search(image, config, file)
    height, width = image.shape[:2]
    parts = [whole]
    for window in tiles(width, height, config.tiles):
        x1, y1, x2, y2 = map(int, window)
        found = _search(np.ascontiguousarray(image[y1:y2, x1:x2]), config) + window[[0, 1, 0, 1]]
        inner = np.where(window == (0, 0, width, height), np.nan, window)
        parts.append(found[~(np.abs(found - inner) < _CUT_OFF).any(axis=1)].astype(np.float32))
    if not config.tiles:
        return whole
    best = [part[: config.max_proposals or None] for part in parts]
    ranks = np.concatenate([np.arange(len(part)) for part in best])
    boxes = np.concatenate(best)[np.argsort(ranks, kind="stable")]
    return boxes[np.sort(np.unique(boxes, axis=0, return_index=True)[1])]


def _search(
    image: npt.NDArray[np.uint8], config: ProposalConfig, file: Path | None = None
) -> FloatArray:
    height, width = image.shape[:2]
    try:
        small = opencv.shrink(image, config.max_side)
        found = np.unique(_engine(config).search(small, config.preset), axis=0)
    except ProposalError as error:
        raise error.at(file) from error
    small_height, small_width = small.shape[:2]
    candidates = found
    if len(found) < FEWEST_REGIONS:
        candidates = np.concatenate((found, windows(small_width, small_height)))
        if file is not None:
            text = "%s: too few regions found (%d), as in a flat picture; sliding windows are added"
            _LOGGER.warning(text, file, len(found))
    ordered = best_first(candidates, config.seed)
    scale = np.array([width / small_width, height / small_height] * 2)
    return box_arithmetic.clip((ordered * scale).astype(np.float32), width, height)


def _engine(config: ProposalConfig) -> ModuleType:
    """Returns the engine; OpenCV, which finds the same boxes, where numba is not installed."""
    if config.engine == "fast" and importlib.util.find_spec("numba") is None:
        return opencv
    return _ENGINES[config.engine]


@functools.cache
def warn_once() -> None:
    """Warns, once per process, that OpenCV searches in place of the fast engine."""
    _LOGGER.warning(
        "numba is not installed, so OpenCV searches: the same boxes in several times the time; "
        "remedy: pip install numba"
    )
