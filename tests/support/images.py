"""Made photographs in which selective search finds regions, and some in which it does not."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt


def blobs(width: int = 120, height: int = 90, seed: int = 0) -> npt.NDArray[np.uint8]:
    """Returns a textured RGB picture (H, W, 3) of coloured rectangles."""
    rng = np.random.default_rng(seed)
    image = np.full((height, width, 3), rng.integers(60, 200, 3), np.float64)
    for _ in range(12):
        x, y = rng.integers(0, width), rng.integers(0, height)
        w, h = rng.integers(10, 50, 2)
        image[y : y + h, x : x + w] = rng.integers(0, 255, 3)
    noisy = image + rng.normal(0, 6, image.shape)
    return noisy.clip(0, 255).astype(np.uint8)


def flat(width: int = 120, height: int = 90) -> npt.NDArray[np.uint8]:
    """Returns a picture of one colour."""
    return np.full((height, width, 3), 127, np.uint8)
