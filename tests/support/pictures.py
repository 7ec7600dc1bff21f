"""Made pictures that are hard to search: noise, flat ground, many equal colours, smooth ramps."""

from __future__ import annotations

import cv2
import numpy as np
import numpy.typing as npt

KINDS = ("noise", "flat", "two colours", "smooth")


def picture(kind: str, height: int, width: int, seed: int = 0) -> npt.NDArray[np.uint8]:
    """Returns an RGB picture (H, W, 3) of one of the kinds."""
    rng = np.random.default_rng(seed)
    if kind == "noise":
        return rng.integers(0, 256, (height, width, 3), dtype=np.uint8)
    if kind == "flat":
        return np.full((height, width, 3), 127, np.uint8)
    if kind == "two colours":
        blocks = np.where(rng.random((height // 4 + 1, width // 4 + 1, 1)) < 0.5, 30, 200)
        return np.kron(blocks, np.ones((4, 4, 3)))[:height, :width].astype(np.uint8)
    coarse = rng.integers(0, 256, (height // 10 + 2, width // 10 + 2, 3), dtype=np.uint8)
    return cv2.resize(coarse, (width, height))
