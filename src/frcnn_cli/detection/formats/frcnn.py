"""`boxes.json`, the format `frcnn.detections/1`."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from frcnn_cli.detection.formats.context import (
    DetectionCollector,
    SplitIndex,
    check_box,
    check_score,
    located,
)
from frcnn_cli.detection.formats.json_fields import field, load_json, number, numbers, shown
from frcnn_cli.detection.formats.writer import FileWriter
from frcnn_cli.errors import DataError
from frcnn_cli.records import DetectedImage, Detections

SCHEMA = "frcnn.detections/1"
_FORM = "[x1, y1, x2, y2]"


class FrcnnWriter(FileWriter):
    """Writes a `frcnn.detections/1` file."""

    words = SCHEMA
    _images = 0

    def header(self) -> str:
        """Returns the text before the first image."""
        about = self.context
        model = {
            "checkpoint": about.checkpoint,
            "backbone": about.backbone,
            "classes": list(about.classes),
        }
        return f'{{"schema": {_dump(SCHEMA)},\n "model": {_dump(model)},\n "images": ['

    def entry(self, image: DetectedImage) -> str:
        """Returns the text of an image."""
        self._images += 1
        comma = "," if self._images > 1 else ""
        return f"{comma}\n  {_dump(image.to_json(self.context.classes))}"

    def footer(self) -> str:
        """Returns the text after the last image."""
        return "\n ]}\n" if self._images else "]}\n"


def read_frcnn(path: Path, index: SplitIndex) -> dict[str, Detections]:
    """Reads a `frcnn.detections/1` file, whoever wrote it.

    The file's own order of classes does not matter.

    Returns:
        The detections of each image in the file by image id, by decreasing score.

    Raises:
        DataError: the file cannot be read, is of another format, or an entry names an unknown
            image or class, lists an image twice, or has a box or score that cannot be.
    """
    document = load_json(path)
    schema = document.get("schema") if isinstance(document, dict) else None
    if schema is None and isinstance(document, dict) and "annotations" in document:
        raise DataError(
            "holds annotations, not detections",
            remedy="name a file of COCO results, which is a list",
            file=path,
        )
    if schema != SCHEMA:
        raise DataError(
            f"its schema is {shown(schema)}", remedy=f"name a file of format {SCHEMA}", file=path
        )
    if not isinstance(document.get("images"), list):
        raise DataError("has no list of images", remedy="write the file again", file=path)
    listed: dict[str, Detections] = {}
    found = DetectionCollector()
    for i, entry in enumerate(document["images"]):
        with located(f"images[{i}]", path):
            image_id = index.finder.find(field(entry, "file", str))
            if image_id in listed:
                raise DataError(f"image {entry['file']!r} is listed twice", remedy="keep one entry")
            listed[image_id] = Detections.empty()
            _read_image(entry, image_id, index, found)
    return {**listed, **found.by_image()}


def _read_image(
    entry: Mapping[str, Any], image_id: str, index: SplitIndex, found: DetectionCollector
) -> None:
    size = field(entry, "width", int), field(entry, "height", int)
    for i, each in enumerate(field(entry, "detections", list)):
        with located(f"detections[{i}]"):
            label = index.label(field(each, "label", str))
            score = check_score(number(field(each, "score"), "score"))
            box = numbers(each, "box", _FORM)
            remedy = f"use {_FORM} in pixels of the upright image, not [x, y, width, height]"
            found.add(image_id, score, label, check_box(box, size, f"box {each['box']}", remedy))


def _dump(value: Any) -> str:
    # ASCII, so that a file name which is not valid Unicode can be written and read back.
    return json.dumps(value, allow_nan=False)
