"""Detections as YOLO tools keep them: a text file per image, one line per detection.

A line is `class x_centre y_centre width height confidence`; classes count from 0, the rest are
fractions of the image's width and height. A `classes.txt` in the folder names the classes in
their order; without one it is the data set's order.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path

from frcnn_cli.data.formats.yolo import shares_of
from frcnn_cli.detection.formats.context import (
    DetectionCollector,
    SplitIndex,
    check_box,
    check_score,
    located,
    text_numbers,
)
from frcnn_cli.detection.formats.writer import FolderWriter, require_name
from frcnn_cli.errors import DataError
from frcnn_cli.files import text_lines
from frcnn_cli.records import DetectedImage, Detections

NAMES = "classes.txt"
LABELS = "labels"
"""Where YOLO tools put the text files in the folder of a run."""
_FORM = "class x_centre y_centre width height confidence"


class YoloResultsWriter(FolderWriter):
    """Writes one file per image, those without detections included, and `classes.txt`.

    A line ends with its confidence, but not of annotations, whose tools want it left out.
    """

    words = "YOLO text files"

    def begin(self, stack: ExitStack) -> None:
        """Writes the names of the classes."""
        super().begin(stack)
        for name in self.context.classes:
            if require_name(name, f"class {name!r}").strip() != name:
                raise DataError(
                    f"class {name!r} begins or ends with white space, which {NAMES} cannot hold",
                    remedy="rename it, or choose the format frcnn",
                )
        self.save(NAMES, "".join(f"{name}\n" for name in self.context.classes))

    def add(self, image: DetectedImage) -> None:
        """Writes one image's file."""
        found, lines = image.detections, []
        for score, label, box in zip(found.scores, found.labels, found.boxes, strict=True):
            edges = [round(float(edge), 2) for edge in box]
            shares = shares_of(edges, (image.width, image.height))
            fractions = " ".join(f"{share:.12g}" for share in shares)
            confidence = f" {score:.6f}" if not self.context.annotations else ""
            lines.append(f"{int(label) - 1} {fractions}{confidence}\n")
        self.save(f"{self.name_of(image)}.txt", "".join(lines))


def text_files(folder: Path) -> list[Path]:
    """Returns the images' files in a folder, or in its `labels`, sorted by name."""
    return sorted(path for path in _home(folder).glob("*.txt") if path.name != NAMES)


def _home(folder: Path) -> Path:
    return folder / LABELS if (folder / LABELS).is_dir() else folder


def read_yolo(folder: Path, index: SplitIndex) -> dict[str, Detections]:
    """Reads a folder of YOLO's text files; an image without one has no detections.

    Returns:
        The detections of each image that has some by image id, by decreasing score.

    Raises:
        DataError: there is no such file, one is of an unknown image, or a line cannot be
            read, names an unknown class, or has a box or score that cannot be.
    """
    paths = text_files(folder)
    if not paths:
        raise DataError("has no text files", remedy="name the folder of YOLO results", file=folder)
    labels = _labels(folder, index)
    found = DetectionCollector()
    for path in paths:
        with located("", path):
            image_id = index.finder.find(path.stem)
        for number, line in text_lines(path):
            with located(f"line {number}", path):
                label, score, box = _read_line(line, labels)
                width, height = index.size(image_id)
                x, y, w, h = box[0] * width, box[1] * height, box[2] * width, box[3] * height
                edges = check_box(
                    (x - w / 2, y - h / 2, x + w / 2, y + h / 2),
                    (width, height),
                    repr(line),
                    f"use: {_FORM}, as fractions of the image's size",
                )
                found.add(image_id, score, label, edges)
    return found.by_image()


def _labels(folder: Path, index: SplitIndex) -> list[int]:
    """Returns the label of each class number of the files."""
    names = _home(folder) / NAMES
    if not names.is_file():
        return list(range(1, len(index.classes) + 1))
    labels = []
    for number, name in text_lines(names):
        with located(f"line {number}", names):
            labels.append(index.label(name))
    return labels


def _read_line(
    line: str, labels: Sequence[int]
) -> tuple[int, float, tuple[float, float, float, float]]:
    fields = line.split()
    if len(fields) == 5:
        raise DataError(
            f"{line!r} has no confidence", remedy=f"save confidences too (save_conf), as: {_FORM}"
        )
    if len(fields) != 6:
        raise DataError(f"{line!r} has {len(fields)} numbers", remedy=f"use: {_FORM}")
    number, x, y, width, height, confidence = text_numbers(fields, repr(line), f"use: {_FORM}")
    if number not in range(len(labels)):
        raise DataError(
            f"{line!r} is of class {fields[0]}", remedy=f"classes are 0 to {len(labels) - 1}"
        )
    return labels[int(number)], check_score(confidence), (x, y, width, height)
