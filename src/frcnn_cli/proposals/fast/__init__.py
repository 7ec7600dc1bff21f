"""OpenCV's selective search at a cost that follows the pixels, in compiled Python.

The same boxes as OpenCV's from kernels that numba compiles. Nothing here needs numba until a
image is searched.
"""

from __future__ import annotations

import logging
from types import ModuleType
from typing import Final

import numpy as np
import numpy.typing as npt

from frcnn_cli.config import Preset
from frcnn_cli.errors import ProposalError, importing
from frcnn_cli.proposals import opencv

_RULES: Final = 1
"""Raised whenever the boxes change, since it is part of every cache key."""
_LOGGER = logging.getLogger(__name__)


def version() -> str:
    """Returns names and versions of what decides the boxes; OpenCV converts, blurs and warps.

    Raises:
        ProposalError: OpenCV is missing.
    """
    return f"fast {_RULES}, {opencv.version()}"


def require() -> None:
    """Makes sure that images can be searched, and compiles what that takes.

    Worker processes then find the machine code and need not compile all at once.

    Raises:
        ProposalError: numba or OpenCV is missing.
    """
    opencv.version()
    engine = _import_engine()
    if engine.must_compile():
        _LOGGER.info("compiling the region search for this processor, once: about 20 seconds")
    engine.rehearse()


def search(image: npt.NDArray[np.uint8], preset: Preset) -> npt.NDArray[np.int32]:
    """Returns the regions (N, 4) of `image`, xyxy in whole pixel edges; they repeat.

    Uses as many threads as OpenCV may. The result is the same for any number.

    Args:
        image: (H, W, 3) RGB.
        preset: OpenCV's fast, quality or single strategy, or the paper's.

    Raises:
        ProposalError: numba or OpenCV is missing, or OpenCV failed.
    """
    threads = opencv.threads()
    engine = _import_engine()
    import cv2

    try:
        boxes: npt.NDArray[np.int32] = engine.find_regions(image, preset, threads=threads)
    except cv2.error as error:
        height, width = image.shape[:2]
        raise ProposalError(
            f"the fast engine could not search {width}×{height} pixels ({error.err})"
        ) from error
    return opencv.without_small(boxes) if preset == "paper" else boxes


def _import_engine() -> ModuleType:
    remedy = "pip install --upgrade numba, or --engine opencv"
    with importing("the fast engine needs numba", remedy=remedy, error=ProposalError):
        import numba  # noqa: F401
    from frcnn_cli.proposals.fast import engine

    return engine
