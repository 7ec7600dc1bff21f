"""Reads the label files of YOLO: a text file for each image.

A line is a class and a box as shares of the image's sides: centre x, centre y, width, height.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from frcnn_cli.data.formats.layout import is_file
from frcnn_cli.data.formats.voc_xml import LARGEST
from frcnn_cli.data.images import image_size
from frcnn_cli.data.record import Record
from frcnn_cli.errors import AnnotationError
from frcnn_cli.records import as_boxes


@dataclass(frozen=True, slots=True)
class YoloReader:
    """Reads label files; an id is the image's path in the folder.

    Attributes:
        root: the folder.
        names: the class of each number.
        keypoints: whether lines have keypoints after their box.
    """

    root: Path
    names: Mapping[int, str]
    keypoints: bool

    def read(self, image_id: str) -> Record:
        """Returns what the label file says; an image without one has no objects.

        Raises:
            AnnotationError: it is not text, or there is no image.
            ImageError: the image's header cannot be read.
        """
        path, source = self.locate(image_id)
        if not is_file(path):
            raise AnnotationError("has no image", remedy="add it or unlist it", file=path)
        rows, faults = self._rows(source)
        size = image_size(path)
        shares = np.array([row.box for row in rows], np.float64).reshape(-1, 2, 2)
        boxes = as_boxes((shares * size).reshape(-1, 4))
        names = tuple(self.names[row.label] for row in rows)
        places = tuple(f"line {row.line}" for row in rows)
        difficult = np.zeros(len(rows), bool)
        return Record(path, source, names, boxes, difficult, places, tuple(faults), size)

    def class_names(self, image_id: str) -> frozenset[str]:
        """Returns the classes in an image.

        Raises:
            AnnotationError: the label file is not text.
        """
        rows, _ = self._rows(self.locate(image_id)[1])
        return frozenset(self.names[row.label] for row in rows)

    def locate(self, image_id: str) -> tuple[Path, Path]:
        """Returns the image and its label file: in `labels` for `images`, or beside it."""
        path = self.root / image_id
        parts = list(Path(image_id).parts)
        beside = path.with_suffix(".txt")
        if "images" not in parts[:-1]:
            return path, beside
        place = len(parts) - 2 - parts[-2::-1].index("images")
        parts[place] = "labels"
        labels = self.root.joinpath(*parts).with_suffix(".txt")
        return path, beside if not is_file(labels) and is_file(beside) else labels

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
                            remedy="mend or remove it",
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
