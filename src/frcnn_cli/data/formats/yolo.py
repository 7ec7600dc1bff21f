"""Reads the label files of YOLO: a text file for each image.

A line is a class and a box as shares of the image's sides: centre x, centre y, width, height.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from frcnn_cli.data.formats.layout import is_file
from frcnn_cli.data.formats.voc_xml import LARGEST
from frcnn_cli.data.formats.yolo_labels import LabelFiles, label_names
from frcnn_cli.data.images import image_size
from frcnn_cli.data.record import Record
from frcnn_cli.errors import AnnotationError
from frcnn_cli.records import as_boxes

LARGEST_SHARE = 2.0
"""Fractions of a side beyond this are pixels; a little over 1 is a box that leaves its image."""


def shares_of(box: Sequence[float], size: tuple[int, int]) -> list[float]:
    """Returns the centre, width and height of a box xyxy as shares of its image's sides."""
    (x1, y1, x2, y2), (width, height) = box, size
    centre = (x1 + x2) / 2 / width, (y1 + y2) / 2 / height
    return [*centre, (x2 - x1) / width, (y2 - y1) / height]


@dataclass(frozen=True, slots=True)
class YoloReader:
    """Reads label files; an id is the image's path in the folder.

    Attributes:
        root: the folder.
        names: the class of each number.
        keypoints: whether lines have keypoints after their box.
        labels: the label file of each image that has one, as a path in the folder.
        shared: the ids without endings that several images have, as `a.jpg` and `a.png`.
    """

    root: Path
    names: Mapping[int, str]
    keypoints: bool
    labels: Mapping[str, str]
    shared: frozenset[str] = frozenset()

    def read(self, image_id: str) -> Record:
        """Returns the content of the label file; an image without one has no objects.

        Raises:
            AnnotationError: it is not text, or there is no image.
            ImageError: the image's header cannot be read.
        """
        path, source = self.root / image_id, self._source(image_id)
        if not is_file(path):
            raise AnnotationError("has no image", remedy="add it or unlist it", file=path)
        if image_id.rpartition(".")[0] in self.shared and image_id in self.labels:
            raise AnnotationError(
                f"shares its label file {source.name} with an image of another ending",
                remedy="give every image a name of its own",
                file=path,
            )
        rows, faults = self._rows(source)
        size = image_size(path)
        shares = np.array([row.box for row in rows], np.float64).reshape(-1, 2, 2)
        boxes = as_boxes((shares * size).reshape(-1, 4))
        names = tuple(self.names[row.label] for row in rows)
        places = tuple(f"line {row.line}" for row in rows)
        difficult = np.zeros(len(rows), bool)
        return Record(
            path,
            source,
            names,
            boxes,
            difficult,
            places,
            tuple(faults),
            size,
            in_pixels=False,
        )

    def class_names(self, image_id: str) -> frozenset[str]:
        """Returns the classes in an image.

        Raises:
            AnnotationError: the label file is not text.
        """
        rows, _ = self._rows(self._source(image_id))
        return frozenset(self.names[row.label] for row in rows)

    def unannotated(self) -> Iterator[Path]:
        """Yields the images that have no label file, in a split or in none."""
        files = LabelFiles(self.root)
        labelled = files.of(files.images)
        return (self.root / image for image in files.images if image not in labelled)

    def _source(self, image_id: str) -> Path:
        return self.root / (self.labels.get(image_id) or label_names(image_id)[0])

    def _rows(self, source: Path) -> tuple[list[_Row], list[AnnotationError]]:
        """Returns the objects, and what is wrong with the lines that are none."""
        try:
            text = source.read_text(encoding="utf-8-sig")
        except FileNotFoundError:
            return [], []
        except (OSError, UnicodeDecodeError) as error:
            raise AnnotationError(
                "cannot be read as text", remedy="export it again as UTF-8", file=source
            ) from error
        rows, faults = [], []
        for number, line in enumerate(text.splitlines(), 1):
            words = line.split()
            if words:
                try:
                    rows.append(_Row(number, *self._object(words)))
                except ValueError as error:
                    faults.append(
                        AnnotationError(
                            f"line {number} is {line.strip()[:60]!r}: {error}",
                            remedy="fix or remove it",
                            file=source,
                        )
                    )
        return rows, faults

    def _object(self, words: list[str]) -> tuple[int, tuple[float, ...]]:
        if len(words) < 5:
            raise ValueError("a class and four numbers are needed")
        values = _numbers(words)
        if values[0] not in self.names:
            raise ValueError(f"there is no class {words[0][:20]}")
        label, numbers = int(values[0]), values[1:]
        if max(map(abs, numbers[:4])) > LARGEST_SHARE:
            raise ValueError("its box is in pixels, not in fractions of the sides")
        if len(numbers) >= 6 and len(numbers) % 2 == 0 and not self.keypoints:
            xs, ys = numbers[::2], numbers[1::2]  # an outline, as for segmentation
            return label, (min(xs), min(ys), max(xs), max(ys))
        if len(numbers) > 5 and not self.keypoints:
            raise ValueError("it is neither a box nor an outline")
        x, y, width, height = numbers[:4]
        return label, (x - width / 2, y - height / 2, x + width / 2, y + height / 2)


@dataclass(frozen=True, slots=True)
class _Row:
    """A line: its number from 1, its class, and its box (x1, y1, x2, y2) in shares."""

    line: int
    label: int
    box: tuple[float, ...]


def _numbers(words: Iterable[str]) -> list[float]:
    values = []
    for word in words:
        try:
            value = float(word)
        except ValueError:
            raise ValueError(f"{word[:20]!r} is not a number") from None
        if not abs(value) <= LARGEST:
            raise ValueError(f"{word[:20]!r} is not a fraction of a side")
        values.append(value)
    return values
