"""A photograph at the size that the network takes."""

from __future__ import annotations

from typing import NamedTuple

import cv2
import numpy as np
import numpy.typing as npt

from frcnn_cli.config import InputConfig
from frcnn_cli.records import FloatArray

Pixels = npt.NDArray[np.uint8]


class Resized(NamedTuple):
    """A resized photograph.

    Attributes:
        pixels: (h, w, 3) uint8, RGB.
        scale: (4,) float32; xyxy in the photograph times this is xyxy in `pixels`.
    """

    pixels: Pixels
    scale: FloatArray


def resize(image: Pixels, size: InputConfig) -> Resized:
    """Returns a photograph (H, W, 3) with its short side at `size.short_side`, long side capped."""
    height, width = image.shape[:2]
    factor = min(size.short_side / min(height, width), size.long_side / max(height, width))
    new_width, new_height = max(round(width * factor), 1), max(round(height * factor), 1)
    method = cv2.INTER_AREA if factor < 1 else cv2.INTER_LINEAR
    pixels = cv2.resize(image, (new_width, new_height), interpolation=method)
    scale = np.array([new_width / width, new_height / height] * 2, np.float32)
    return Resized(pixels.astype(np.uint8, copy=False), scale)
