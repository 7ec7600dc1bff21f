"""OpenCV's selective search and its presets."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from frcnn_cli.config import Preset
from frcnn_cli.errors import ProposalError, importing

_SWITCHES = {
    "fast": "switchToSelectiveSearchFast",
    "quality": "switchToSelectiveSearchQuality",
    "single": "switchToSingleStrategy",
}
PAPER_SIGMA = 0.8
PAPER_K = (50, 100)
PAPER_MIN_SIDE = 20
"""Pixels; the "paper" preset drops boxes with a shorter side."""


def version() -> str:
    """Returns name and version of the library that searches.

    Raises:
        ProposalError: OpenCV is missing.
    """
    return f"opencv {_import_cv2().__version__}"


def require() -> None:
    """Makes sure that OpenCV can search.

    Raises:
        ProposalError: OpenCV is missing, or is one without selective search.
    """
    _segmentation(_import_cv2())


def use_one_thread() -> None:
    """Keeps OpenCV to one thread, for a process among as many as there are cores."""
    _import_cv2().setNumThreads(1)


def threads() -> int:
    """Returns how many threads may search one image."""
    return int(_import_cv2().getNumThreads())


def shrink(image: npt.NDArray[np.uint8], max_side: int) -> npt.NDArray[np.uint8]:
    """Returns `image` (H, W, 3) with a longer side of at most `max_side` pixels (0: as it is)."""
    height, width = image.shape[:2]
    scale = max_side / max(height, width)
    if max_side == 0 or scale >= 1:
        return image
    cv2 = _import_cv2()
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    small: npt.NDArray[np.uint8] = cv2.resize(image, size, interpolation=cv2.INTER_AREA)
    return small


def search(image: npt.NDArray[np.uint8], preset: Preset) -> npt.NDArray[np.int32]:
    """Returns the regions (N, 4) of `image` as OpenCV gives them, xyxy in whole pixel edges.

    OpenCV orders them with the C library's `rand()`: the set is the same at every call, the order
    is not.

    Args:
        image: (H, W, 3) RGB.
        preset: OpenCV's fast, quality or single strategy, or the paper's.

    Raises:
        ProposalError: OpenCV has no selective search, or it failed.
    """
    cv2 = _import_cv2()
    segmentation = _segmentation(cv2)
    bgr = np.ascontiguousarray(image[:, :, ::-1])
    try:
        engine = segmentation.createSelectiveSearchSegmentation()
        engine.setBaseImage(bgr)
        if preset == "paper":
            switch_to_paper(cv2, engine, bgr)
        else:
            getattr(engine, _SWITCHES[preset])()
        rectangles = np.asarray(engine.process(), dtype=np.int32).reshape(-1, 4)
    except cv2.error as error:
        height, width = image.shape[:2]
        raise ProposalError(
            f"OpenCV could not search {width}×{height} pixels ({error.err})"
        ) from error
    boxes = rectangles.copy()
    boxes[:, 2:] += rectangles[:, :2]
    return without_small(boxes) if preset == "paper" else boxes


def without_small(boxes: npt.NDArray[np.int32]) -> npt.NDArray[np.int32]:
    """Returns the `boxes` (N, 4) that the paper's setting keeps: no side under 20 pixels."""
    sides = boxes[:, 2:] - boxes[:, :2]
    return boxes[(sides >= PAPER_MIN_SIDE).all(axis=1)]


def switch_to_paper(cv2: Any, engine: Any, bgr: npt.NDArray[np.uint8]) -> None:
    """Sets the "fast" setting of the MATLAB release that R-CNN and Fast R-CNN used.

    Args:
        cv2: the module.
        engine: OpenCV's selective search, changed in place.
        bgr: (H, W, 3) uint8, the image.
    """
    segmentation = _segmentation(cv2)
    engine.addImage(cv2.cvtColor(bgr, cv2.COLOR_BGR2HSV))
    engine.addImage(cv2.cvtColor(bgr, cv2.COLOR_BGR2Lab))
    for k in PAPER_K:
        engine.addGraphSegmentation(segmentation.createGraphSegmentation(PAPER_SIGMA, k, k))
    for names in (("Color", "Fill", "Texture", "Size"), ("Fill", "Texture", "Size")):
        parts = [
            getattr(segmentation, f"createSelectiveSearchSegmentationStrategy{name}")()
            for name in names
        ]
        engine.addStrategy(segmentation.createSelectiveSearchSegmentationStrategyMultiple(*parts))


def _import_cv2() -> Any:
    remedy = "pip install --force-reinstall opencv-contrib-python"
    with importing("the region search needs OpenCV", remedy=remedy, error=ProposalError):
        import cv2
    return cv2


def _segmentation(cv2: Any) -> Any:
    """Returns `cv2.ximgproc.segmentation`, or raises with the reason why it is missing."""
    try:
        return cv2.ximgproc.segmentation
    except AttributeError as error:
        raise ProposalError(
            "this OpenCV has no cv2.ximgproc: opencv-python was installed over "
            "opencv-contrib-python, and both write the same folder",
            remedy="pip uninstall -y opencv-python opencv-python-headless && "
            "pip install --force-reinstall opencv-contrib-python",
        ) from error
