"""An image as it is given to the Python API, and the objects that were found in it."""

from __future__ import annotations

import io
import os
from collections import Counter
from collections.abc import Collection, Iterator
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias, overload

import numpy as np
import torch
from PIL import Image

from frcnn_cli.data.images import Pixels, load_image, upright_pixels
from frcnn_cli.detection.formats.coco import coco_results, image_number
from frcnn_cli.errors import ConfigError, ImageError, importing
from frcnn_cli.plotting.draw import draw
from frcnn_cli.records import DetectedImage, Detections, FloatArray, IntArray, ScoreArray

if TYPE_CHECKING:
    import supervision

PathLike: TypeAlias = str | os.PathLike[str]
ImageSource: TypeAlias = PathLike | bytes | Pixels | torch.Tensor | Image.Image
"""A file or its bytes, RGB pixels as an array (H, W, 3) or a tensor (3, H, W) of uint8, or a Pillow
image; files, bytes and Pillow images are turned upright by their EXIF orientation."""

_FORMS = "pass a path, bytes, a Pillow image, or RGB pixels (H, W, 3) uint8"
_SHOWN_SIDE = 1000
"""Pixels of the longer side of the picture that a notebook shows."""


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


@dataclass(frozen=True, repr=False, eq=False)
class ImageDetections:
    """The objects found in one image, by decreasing score; a notebook shows them drawn.

    `found[0]` is an object; `found[:3]` and `found[found.scores > 0.9]` are some of the objects.

    Attributes:
        source: the image as it was given.
        file: its path as given; "" for one that was given as pixels.
        size: width and height of the upright image.
        boxes: (N, 4) float32, x1, y1, x2, y2 in its pixels.
        scores: (N,) float32.
        labels: (N,) int64; label k is `classes[k - 1]`.
        classes: names of the detector's labels.
        proposals: how many regions were classified.
        seconds: wall time of "decode" (with resizing), "proposals", "network" and "postprocess".
    """

    source: ImageSource
    file: str
    size: tuple[int, int]
    boxes: FloatArray
    scores: ScoreArray
    labels: IntArray
    classes: tuple[str, ...]
    proposals: int
    seconds: dict[str, float]

    @cached_property
    def pixels(self) -> Pixels:
        """The upright image, (H, W, 3) uint8 RGB; a file is read when they are first wanted."""
        return pixels_of(self.source)

    @property
    def names(self) -> list[str]:
        """The class of each object."""
        return [self.classes[int(label) - 1] for label in self.labels]

    def filter(self, score: float = 0.0, classes: Collection[str] | None = None) -> ImageDetections:
        """Returns the objects that score at least `score`, of some classes or (None) of all.

        Raises:
            ConfigError: the detector does not know one of the classes.
        """
        wanted = self.classes if classes is None else classes
        if unknown := set(wanted) - set(self.classes):
            known = f"use names such as {', '.join(self.classes[:5])}"
            raise ConfigError(f"classes are {sorted(unknown)}", remedy=known)
        return self[(self.scores >= score) & np.isin(np.array(self.names, str), list(wanted))]

    def __len__(self) -> int:
        return len(self.boxes)

    def __iter__(self) -> Iterator[DetectedObject]:
        return (self[place] for place in range(len(self)))

    @overload
    def __getitem__(self, which: int) -> DetectedObject: ...
    @overload
    def __getitem__(self, which: slice | np.ndarray[Any, Any]) -> ImageDetections: ...
    def __getitem__(self, which: Any) -> DetectedObject | ImageDetections:
        if isinstance(which, int | np.integer):
            x1, y1, x2, y2 = map(float, self.boxes[which])
            return DetectedObject(self.names[which], float(self.scores[which]), (x1, y1, x2, y2))
        return replace(
            self, boxes=self.boxes[which], scores=self.scores[which], labels=self.labels[which]
        )

    def __repr__(self) -> str:
        counts = ", ".join(f"{name} {n}" for name, n in Counter(self.names).most_common(5))
        name, objects = self.file or "image", "object" if len(self) == 1 else "objects"
        found = f"{len(self)} {objects}{': ' if counts else ''}{counts}"
        return f"<{name}, {self.size[0]} × {self.size[1]}, {found}>"

    def _repr_png_(self) -> bytes:
        picture = self.draw()
        picture.thumbnail((_SHOWN_SIDE, _SHOWN_SIDE))
        stream = io.BytesIO()
        picture.save(stream, "PNG")
        return stream.getvalue()

    def draw(self, min_score: float = 0.5) -> Image.Image:
        """Returns the image with the boxes that score at least `min_score`, and their names."""
        return draw(self.pixels, self._detections(), self.classes, min_score=min_score)

    def to_dict(self) -> dict[str, Any]:
        """Returns the entry of the image in `boxes.json`: JSON values."""
        found = self._detections()
        entry = DetectedImage(self.file, *self.size, self.proposals, found, self.seconds)
        return entry.to_json(self.classes)

    def to_coco(self, image_id: int | str | None = None) -> list[dict[str, Any]]:
        """Returns COCO results: JSON values. Label k has the `category_id` k.

        Args:
            image_id: of each result; None is what `frcnn detect --format coco` makes of the file.
        """
        image_id = image_number(self.file) if image_id is None else image_id
        return list(coco_results(self._detections(), image_id))

    def to_supervision(self) -> supervision.Detections:
        """Returns `supervision.Detections`, whose `class_id` is the index of a name in `classes`.

        Raises:
            ConfigError: supervision is not installed.
        """
        remedy = "pip install supervision"
        with importing("to_supervision needs supervision", remedy=remedy):
            import supervision  # noqa: PLC0415  optional
        return supervision.Detections(
            xyxy=self.boxes,
            confidence=self.scores,
            class_id=self.labels - 1,
            data={"class_name": np.array(self.names, str)},
        )

    def _detections(self) -> Detections:
        return Detections(self.boxes, self.scores, self.labels)


def pixels_of(image: ImageSource) -> Pixels:
    """Returns upright RGB pixels (H, W, 3) uint8.

    Raises:
        ImageError: the file cannot be read, or the image is given in another form.
    """
    if isinstance(image, str | os.PathLike):
        return load_image(Path(image))
    if isinstance(image, bytes):
        return load_image(image)
    if isinstance(image, Image.Image):
        return upright_pixels(image)
    if isinstance(image, torch.Tensor):
        if image.dtype != torch.uint8 or image.ndim != 3 or image.shape[0] != 3:
            raise ImageError(
                f"the tensor has shape {tuple(image.shape)} and type {image.dtype}",
                remedy="pass RGB pixels (3, H, W) of torch.uint8",
            )
        image = image.permute(1, 2, 0).cpu().numpy()
    if not isinstance(image, np.ndarray):
        raise ImageError(f"an image is of type {type(image).__name__}", remedy=_FORMS)
    if image.dtype != np.uint8 or image.ndim != 3 or image.shape[2] != 3:
        raise ImageError(
            f"the pixels have shape {image.shape} and type {image.dtype}",
            remedy="pass RGB pixels (H, W, 3) uint8",
        )
    if 0 in image.shape:
        raise ImageError(f"the pixels have shape {image.shape}", remedy="pass an image")
    return np.ascontiguousarray(image)
