"""An image as it is given to the Python API, and the objects that were found in it."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt
from PIL import Image

from frcnn_cli.data.images import load_image, upright_pixels
from frcnn_cli.errors import ImageError
from frcnn_cli.plotting.draw import draw
from frcnn_cli.records import DetectedImage, Detections, FloatArray, IntArray, ScoreArray

Pixels = npt.NDArray[np.uint8]
PathLike: TypeAlias = str | os.PathLike[str]
Photograph: TypeAlias = PathLike | Pixels | Image.Image
"""A file, RGB pixels (H, W, 3) uint8, or a Pillow image; files and Pillow images are turned upright
by their EXIF orientation."""


@dataclass(frozen=True, slots=True)
class DetectedObject:
    """One object.

    Attributes:
        name: of its class.
        score: 0 to 1.
        box: x1, y1, x2, y2 in pixels of the upright image, from its left and upper edge.
    """

    name: str
    score: float
    box: tuple[float, float, float, float]


@dataclass(frozen=True)
class DetectedPhotograph:
    """The objects found in one image; iterating gives them by decreasing score.

    Attributes:
        pixels: (H, W, 3) uint8, RGB: the upright image.
        file: its path as given; "" for one that was given as pixels.
        boxes: (N, 4) float32, x1, y1, x2, y2 in its pixels.
        scores: (N,) float32.
        labels: (N,) int64; label k is `classes[k - 1]`.
        classes: names of the detector's labels.
        proposals: how many regions were classified.
        seconds: wall time of "decode" (with resizing), "proposals", "network" and "postprocess".
    """

    pixels: Pixels
    file: str
    boxes: FloatArray
    scores: ScoreArray
    labels: IntArray
    classes: tuple[str, ...]
    proposals: int
    seconds: dict[str, float]

    @property
    def names(self) -> list[str]:
        """The class of each object."""
        return [self.classes[int(label) - 1] for label in self.labels]

    def __len__(self) -> int:
        return len(self.boxes)

    def __iter__(self) -> Iterator[DetectedObject]:
        for name, score, box in zip(self.names, self.scores, self.boxes, strict=True):
            x1, y1, x2, y2 = map(float, box)
            yield DetectedObject(name, float(score), (x1, y1, x2, y2))

    def to_dict(self) -> dict[str, Any]:
        """Returns the entry of the image in `boxes.json`: JSON values."""
        height, width = self.pixels.shape[:2]
        entry = DetectedImage(
            self.file, width, height, self.proposals, self._detections(), self.seconds
        )
        return entry.to_json(self.classes)

    def draw(self, min_score: float = 0.5) -> Image.Image:
        """Returns the image with the boxes that score at least `min_score`, and their names."""
        return draw(self.pixels, self._detections(), self.classes, min_score=min_score)

    def _detections(self) -> Detections:
        return Detections(self.boxes, self.scores, self.labels)


def pixels_of(photograph: Photograph) -> Pixels:
    """Returns upright RGB pixels (H, W, 3) uint8.

    Raises:
        ImageError: the file cannot be read, or the pixels are of another form.
    """
    if isinstance(photograph, str | os.PathLike):
        return load_image(Path(photograph))
    if isinstance(photograph, Image.Image):
        return upright_pixels(photograph)
    if photograph.dtype != np.uint8 or photograph.ndim != 3 or photograph.shape[2] != 3:
        raise ImageError(
            f"the pixels have shape {photograph.shape} and type {photograph.dtype}",
            remedy="pass RGB pixels (H, W, 3) uint8",
        )
    if 0 in photograph.shape:
        raise ImageError(f"the pixels have shape {photograph.shape}", remedy="pass a photograph")
    return np.ascontiguousarray(photograph)
