"""Images and classes that a file of detections may name, and the checks that every reader makes."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import cached_property
from pathlib import Path

import numpy as np

from frcnn_cli.data.lookup import SampleFinder
from frcnn_cli.errors import DataError, some_of
from frcnn_cli.records import Detections, Sample, as_boxes

BOUNDS_TOLERANCE = 1.0
"""Pixels that a box may reach beyond its image: what rounding and 1-based tools leave."""

Size = tuple[int, int]
Box = tuple[float, float, float, float]


class SplitIndex:
    """The images and classes of a split.

    Args:
        samples: the images; a file need not name all of them.
        classes: names of the labels 1..K.
        size_of: returns the (width, height) of an image's file.
        image_numbers: the data set's own number or name of an image → image id; empty where
            it has none.
        category_numbers: the data set's own number of a class → label; empty where it has none.
    """

    def __init__(
        self,
        samples: Sequence[Sample],
        classes: Sequence[str],
        size_of: Callable[[Path], Size],
        *,
        image_numbers: Mapping[int | str, str] | None = None,
        category_numbers: Mapping[int, int] | None = None,
    ) -> None:
        self.classes = tuple(classes)
        self.finder = SampleFinder(samples, image_numbers or {})
        self._categories = category_numbers or {k: k for k in range(1, len(self.classes) + 1)}
        self._paths = {sample.image_id: sample.path for sample in samples}
        self._size_of = size_of
        self._sizes: dict[str, Size] = {}

    @cached_property
    def _labels(self) -> dict[str, int]:
        return {name: label for label, name in enumerate(self.classes, start=1)}

    def label(self, name: str) -> int:
        """Returns the label 1..K of a class.

        Raises:
            DataError: there is no such class.
        """
        if name not in self._labels:
            same = [known for known in self.classes if known.casefold() == name.casefold()]
            remedy = f"write it as {same[0]!r}" if same else f"use one of {some_of(self.classes)}"
            raise DataError(f"unknown class {name!r}", remedy=remedy)
        return self._labels[name]

    def label_of_category(self, number: int) -> int:
        """Returns the label of the class that the data set, or its order from 1, numbers so.

        Raises:
            DataError: there is no such class.
        """
        if number not in self._categories:
            named = (f"{k} {self.classes[i - 1]}" for k, i in sorted(self._categories.items()))
            remedy = f"the data set's are {some_of(named)}"
            raise DataError(f"category_id is {number}", remedy=remedy)
        return self._categories[number]

    def size(self, image_id: str) -> Size:
        """Returns the (width, height) of an image in pixels.

        Raises:
            ImageError: its header cannot be read.
        """
        if image_id not in self._sizes:
            self._sizes[image_id] = self._size_of(self._paths[image_id])
        return self._sizes[image_id]


class DetectionCollector:
    """Detections as they are read, image by image."""

    def __init__(self) -> None:
        self._rows: dict[str, list[tuple[float, int, Box, int]]] = defaultdict(list)
        self._count = 0

    def add(self, image_id: str, score: float, label: int, box: Box) -> None:
        """Notes a detection.

        Args:
            image_id: the image.
            score: as the file has it.
            label: 1..K.
            box: xyxy in pixels of the upright image.
        """
        self._rows[image_id].append((score, label, box, self._count))
        self._count += 1

    def by_image(self) -> dict[str, Detections]:
        """Returns the detections of each image that has some, by decreasing score."""
        return {image_id: _by_decreasing_score(rows) for image_id, rows in self._rows.items()}


def _by_decreasing_score(rows: list[tuple[float, int, Box, int]]) -> Detections:
    rows.sort(key=lambda row: -row[0])  # stable, so that equal scores keep the file's order
    scores, labels, boxes, places = zip(*rows, strict=True)
    return Detections(
        as_boxes(boxes),
        np.array(scores, np.float64),
        np.array(labels, np.int64),
        np.array(places, np.int64),
    )


def check_score(score: float) -> float:
    """Returns `score`, between 0 and 1.

    Raises:
        DataError: it is not.
    """
    if not 0 <= score <= 1:
        raise DataError(f"score is {score}", remedy="use a score between 0 and 1")
    return score


def check_box(box: Box, size: Size, wording: str, remedy: str) -> Box:
    """Returns `box`, after checking that it ends behind where it starts and lies in its image.

    Args:
        box: xyxy.
        size: (width, height) of the image.
        wording: the box as the file writes it.
        remedy: how the file should write it.

    Raises:
        DataError: it ends before it starts, or leaves the image by more than the tolerance.
    """
    x1, y1, x2, y2 = box
    width, height = size
    if x2 < x1 or y2 < y1:
        raise DataError(f"{wording} ends before it starts", remedy=remedy)
    slack = BOUNDS_TOLERANCE
    if min(x1, y1) < -slack or x2 > width + slack or y2 > height + slack:
        raise DataError(
            f"{wording} lies outside its image of {width}×{height} pixels", remedy=remedy
        )
    return box


def text_numbers(fields: Sequence[str], wording: str, remedy: str) -> list[float]:
    """Returns the numbers of a line.

    Args:
        fields: the numbers as text.
        wording: the line, for the message.
        remedy: what the line should hold.

    Raises:
        DataError: a field is not a finite number.
    """
    try:
        numbers = [float(field) for field in fields]
    except ValueError as error:
        raise DataError(wording, remedy=remedy) from error
    if not all(math.isfinite(number) for number in numbers):
        raise DataError(f"{wording} is not finite", remedy="use finite numbers")
    return numbers


@contextmanager
def located(place: str, file: Path | None = None) -> Iterator[None]:
    """Puts the file, and the place in it, in front of what an error of the block says."""
    try:
        yield
    except DataError as error:
        if error.file is not None:  # about another file, such as an image
            raise
        joint = "." if error.problem.startswith("detections[") else ": "
        raise error.at(file, f"{place}{joint}" if place else "") from error
