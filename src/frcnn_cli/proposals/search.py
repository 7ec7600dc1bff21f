"""The one door to region search: a photograph in, ordered boxes of its own pixels out."""

from __future__ import annotations

import functools
import importlib.util
import logging
from collections.abc import Mapping
from types import ModuleType
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from frcnn_cli import boxes as box_arithmetic
from frcnn_cli.config import Engine, ProposalConfig
from frcnn_cli.errors import ProposalError
from frcnn_cli.proposals import fast, opencv
from frcnn_cli.proposals.grid import windows
from frcnn_cli.proposals.order import best_first
from frcnn_cli.records import FloatArray

_ENGINES: Mapping[Engine, ModuleType] = {"opencv": opencv, "fast": fast}
"""Each is a module with `require()`, `version()` and `search(image, preset)`."""

_RULES = 2
"""Raised whenever shrinking, windows or order change, since it is part of every cache key."""

FEWEST_REGIONS = 8
"""A photograph with fewer regions (a clear sky, a blank page) gets sliding windows as well."""


_LOGGER = logging.getLogger(__name__)


class Regions(NamedTuple):
    """What a search found.

    Attributes:
        boxes: (N, 4) float32 xyxy, distinct, inside the photograph, best first.
        found: how many of them selective search found; the others are sliding windows.
    """

    boxes: FloatArray
    found: int

    @property
    def has_windows(self) -> bool:
        """Whether sliding windows stand in for regions."""
        return self.found < len(self.boxes)


def library(config: ProposalConfig) -> str:
    """Returns names and versions of the code that searches under `config`, for the cache key.

    Raises:
        ProposalError: it is not installed.
    """
    if _engine(config) is not _ENGINES[config.engine]:
        warn_once()
    return f"{_engine(config).version()}, rules {_RULES}"


def libraries() -> set[str]:
    """Returns what `library` says of each engine of this installation; empty without OpenCV."""
    try:
        return {f"{engine.version()}, rules {_RULES}" for engine in _ENGINES.values()}
    except ProposalError:
        return set()


def require_engine(config: ProposalConfig) -> None:
    """Makes sure that `config` can be searched with, before many photographs fail one by one.

    Raises:
        ProposalError: what is missing, and the remedy.
    """
    if config.engine != "imported":  # nobody searches
        _engine(config).require()


def search(image: npt.NDArray[np.uint8], config: ProposalConfig) -> Regions:
    """Searches `image` (H, W, 3), RGB and upright, for regions that may hold an object.

    All boxes are returned: `config.max_proposals` is for those who read them.

    Raises:
        ProposalError: what the engine needs is missing, or it failed.
    """
    height, width = image.shape[:2]
    small = opencv.shrink(image, config.max_side)
    small_height, small_width = small.shape[:2]
    found = np.unique(_engine(config).search(small, config.preset), axis=0)
    candidates = found
    if len(found) < FEWEST_REGIONS:
        candidates = np.concatenate((found, windows(small_width, small_height)))
    ordered = best_first(candidates, config.seed)
    scale = np.array([width / small_width, height / small_height] * 2)
    boxes = box_arithmetic.clip((ordered * scale).astype(np.float32), width, height)
    return Regions(boxes, len(found))


def _engine(config: ProposalConfig) -> ModuleType:
    """Returns who searches: OpenCV, which finds the same boxes, where numba is not installed."""
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
