"""The presets: which images of an image are segmented, how coarsely, and how regions merge."""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal, NamedTuple

import cv2
import numpy as np

from frcnn_cli.config import Preset
from frcnn_cli.proposals.fast.grouping.similarity import COLOUR, FILL, SIZE, TEXTURE, strategy
from frcnn_cli.proposals.fast.segmentation import Scale
from frcnn_cli.proposals.opencv import PAPER_K, PAPER_SIGMA

Space = Literal["hsv", "lab", "gray", "blue", "rgi"]

OPENCV_SIGMA = float(np.float32(0.8))
"""OpenCV's presets pass their blur as a float32."""
ALL = strategy(COLOUR, FILL, TEXTURE, SIZE)
NO_COLOUR = strategy(FILL, TEXTURE, SIZE)


class Plan(NamedTuple):
    """One hierarchy is grown for each space x scale x strategy, in this order."""

    spaces: tuple[Space, ...]
    scales: tuple[Scale, ...]
    strategies: tuple[np.ndarray, ...]
    sigma: float
    """Blur before segmentation, pixels."""


PLANS: dict[Preset, Plan] = {
    "single": Plan(("hsv",), (Scale(200, 100),), (ALL,), OPENCV_SIGMA),
    "fast": Plan(
        ("hsv", "lab"),
        tuple(Scale(k, 100) for k in (150, 300, 450)),
        (ALL, NO_COLOUR),
        OPENCV_SIGMA,
    ),
    "quality": Plan(
        ("hsv", "lab", "gray", "blue", "rgi"),
        tuple(Scale(k, 100) for k in (150, 300, 450, 600, 750)),
        (ALL, NO_COLOUR, strategy(FILL), strategy(SIZE)),
        OPENCV_SIGMA,
    ),
    "paper": Plan(
        ("hsv", "lab"), tuple(Scale(k, k) for k in PAPER_K), (ALL, NO_COLOUR), PAPER_SIGMA
    ),
}


def convert(image: np.ndarray, space: Space) -> np.ndarray:
    """Converts (H, W, 3) uint8 RGB to the image of a space, (H, W, 3) or (H, W) uint8."""
    return _CONVERSIONS[space](image)


def _blue(image: np.ndarray) -> np.ndarray:
    """OpenCV means the hue, but its next `split` writes the blue channel into the same memory."""
    return np.ascontiguousarray(image[..., 2])


def _rgi(image: np.ndarray) -> np.ndarray:
    """Red, green and intensity, as OpenCV mixes them."""
    gray = cv2.cvtColor(image, cv2.COLOR_RGB2GRAY)
    return np.ascontiguousarray(np.dstack((image[..., 0], image[..., 1], gray)))


_CONVERSIONS: dict[Space, Callable[[np.ndarray], np.ndarray]] = {
    "hsv": lambda image: cv2.cvtColor(image, cv2.COLOR_RGB2HSV),
    "lab": lambda image: cv2.cvtColor(image, cv2.COLOR_RGB2LAB),
    "gray": lambda image: cv2.cvtColor(image, cv2.COLOR_RGB2GRAY),
    "blue": _blue,
    "rgi": _rgi,
}
