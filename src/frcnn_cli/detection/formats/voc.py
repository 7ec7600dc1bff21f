"""Detections as the VOC devkit keeps them: `comp4_det_SPLIT_CLASS.txt`, one line per detection.

A line is `image_id score xmin ymin xmax ymax` in 1-based inclusive pixels, fractions allowed;
`x1 = xmin - 1` and `x2 = xmax`.
"""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path, PurePath
from urllib.parse import quote

from frcnn_cli.data.formats.voc_xml import write_annotation
from frcnn_cli.detection.formats.context import (
    DetectionCollector,
    SplitIndex,
    check_box,
    located,
    text_numbers,
)
from frcnn_cli.detection.formats.writer import FolderWriter
from frcnn_cli.errors import DataError, some_of
from frcnn_cli.files import text_lines
from frcnn_cli.records import DetectedImage, Detections

PATTERN = "*_det_*_*.txt"
_LONGEST_NAME = 255
"""Bytes of a file name that common file systems take."""
_UNSAFE = re.compile(r"""[\x00-\x1f\x7f-\x9f/\\:*?"<>|\ud800-\udfff]|%(?=[0-9A-Fa-f]{2})""")
_FORM = "image_id score xmin ymin xmax ymax"


def safe_name(name: str) -> str:
    """Returns the name of a class as a part of a file name, with "%2F" for "/" and so on."""
    return _UNSAFE.sub(
        lambda found: quote(found[0].encode("utf-8", "surrogatepass"), safe=""), name
    )


class VocResultsWriter(FolderWriter):
    """Writes one file per class, those without detections included."""

    words = "VOC devkit results"

    def begin(self, stack: ExitStack) -> None:
        """Opens a file per class.

        Raises:
            DataError: a class has a name that no file can have.
        """
        super().begin(stack)
        self._streams = [
            stack.enter_context(self._path(name).open("w", encoding="utf-8", newline="\n"))
            for name in self.context.classes
        ]

    def _path(self, name: str) -> Path:
        path = self.folder / f"comp4_det_{self.context.split}_{safe_name(name)}.txt"
        if len(os.fsencode(path.name)) > _LONGEST_NAME:
            raise DataError(
                f"the class {name[:80]!r}… has a name that is too long for a file",
                remedy="give it a shorter one, or choose the format frcnn",
            )
        return path

    def add(self, image: DetectedImage) -> None:
        """Writes one image."""
        name, found = self.name_of(image), image.detections
        for score, label, box in zip(found.scores, found.labels, found.boxes, strict=True):
            x1, y1, x2, y2 = box.tolist()
            line = f"{name} {score:.6f} {x1 + 1:.2f} {y1 + 1:.2f} {x2:.2f} {y2:.2f}\n"
            self._streams[int(label) - 1].write(line)


class VocXmlWriter(FolderWriter):
    """Writes a VOC XML per image, those without detections included: a start for annotators.

    Edges are rounded to a hundredth of a pixel, as in every other format.
    """

    words = "VOC devkit results"

    def add(self, image: DetectedImage) -> None:
        """Writes the file of one image."""
        found = image.detections
        write_annotation(
            self.folder / f"{self.name_of(image)}.xml",
            filename=PurePath(image.file).name,
            size=(image.width, image.height),
            names=[self.context.classes[int(label) - 1] for label in found.labels],
            boxes=found.rounded().boxes,
        )


def read_voc(folder: Path, index: SplitIndex) -> dict[str, Detections]:
    """Reads a folder of `*_det_*_CLASS.txt` files; a class without a file has no detections.

    Returns:
        The detections of each image that has some by image id, by decreasing score.

    Raises:
        DataError: there is no such file, one is of an unknown class or there twice, or a line
            cannot be read, names an unknown image, or has a box that cannot be.
    """
    found = DetectionCollector()
    for label, path in _files_by_label(folder, index.classes).items():
        for number, line in text_lines(path):
            with located(f"line {number}", path):
                image_id, score, box = _read_line(line, index)
                found.add(image_id, score, label, box)
    return found.by_image()


def _files_by_label(folder: Path, classes: Sequence[str]) -> dict[int, Path]:
    paths = sorted(folder.glob(PATTERN))
    if not paths:
        raise DataError(
            "has no comp4_det_*_CLASS.txt", remedy="name the folder of VOC results", file=folder
        )
    files: dict[int, Path] = {}
    for path in paths:
        label = _label_of(path, classes)
        if label in files:
            raise DataError(
                f"is of class {classes[label - 1]!r}, as {files[label].name} is",
                remedy="keep the files of one split",
                file=path,
            )
        files[label] = path
    return files


def _label_of(path: Path, classes: Sequence[str]) -> int:
    # A class name may hold an underscore itself, so the longest one that fits is meant.
    fitting = [name for name in classes if path.stem.endswith((f"_{safe_name(name)}", f"_{name}"))]
    if fitting:
        return classes.index(max(fitting, key=len)) + 1
    stem = path.stem.casefold()
    same = [name for name in classes if stem.endswith(f"_{name.casefold()}")]
    remedy = f"write it as {same[0]!r}" if same else f"known classes are {some_of(classes)}"
    raise DataError("is of an unknown class", remedy=remedy, file=path)


def _read_line(
    line: str, index: SplitIndex
) -> tuple[str, float, tuple[float, float, float, float]]:
    # From the right, since the name of an image may hold spaces.
    image_id, *fields = line.rsplit(maxsplit=5)
    values = text_numbers(fields, repr(line), f"use: {_FORM}")
    if len(values) != 5:
        raise DataError(repr(line), remedy=f"use: {_FORM}")
    score, xmin, ymin, xmax, ymax = values
    image_id = index.finder.find(image_id)
    box = check_box(
        # In binary 1.01 - 1 is a little more than 0.01, where a box without height ends.
        (round(xmin - 1, 9), round(ymin - 1, 9), xmax, ymax),
        index.size(image_id),
        repr(line),
        "use xmin ymin xmax ymax in pixels from 1, not x y width height",
    )
    return image_id, score, box
