"""Generated images, some of them hard for selective search, and what can be seen in a drawn one."""

from __future__ import annotations

import cv2
import numpy as np
import numpy.typing as npt
from PIL import Image

KINDS = ("noise", "flat", "two colours", "smooth")
"""What `patterned` makes."""


def blobs(width: int = 120, height: int = 90, seed: int = 0) -> npt.NDArray[np.uint8]:
    """Returns a textured RGB image (H, W, 3) of coloured rectangles."""
    rng = np.random.default_rng(seed)
    image = np.full((height, width, 3), rng.integers(60, 200, 3), np.float64)
    for _ in range(12):
        x, y = rng.integers(0, width), rng.integers(0, height)
        w, h = rng.integers(10, 50, 2)
        image[y : y + h, x : x + w] = rng.integers(0, 255, 3)
    noisy = image + rng.normal(0, 6, image.shape)
    return noisy.clip(0, 255).astype(np.uint8)


def flat(width: int = 120, height: int = 90) -> npt.NDArray[np.uint8]:
    """Returns an image of one colour."""
    return np.full((height, width, 3), 127, np.uint8)


def patterned(kind: str, height: int, width: int, seed: int = 0) -> npt.NDArray[np.uint8]:
    """Returns an RGB image (H, W, 3) of one of the kinds."""
    rng = np.random.default_rng(seed)
    if kind == "noise":
        return rng.integers(0, 256, (height, width, 3), dtype=np.uint8)
    if kind == "flat":
        return flat(width, height)
    if kind == "two colours":
        blocks = np.where(rng.random((height // 4 + 1, width // 4 + 1, 1)) < 0.5, 30, 200)
        return np.kron(blocks, np.ones((4, 4, 3)))[:height, :width].astype(np.uint8)
    coarse = rng.integers(0, 256, (height // 10 + 2, width // 10 + 2, 3), dtype=np.uint8)
    return cv2.resize(coarse, (width, height))


def has_colour(picture: Image.Image, colour: tuple[int, int, int]) -> bool:
    """Returns whether a pixel has exactly this colour: a blank canvas has none but its own."""
    return bool((np.asarray(picture.convert("RGB")) == colour).all(axis=2).any())
