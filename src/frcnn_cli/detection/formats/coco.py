"""COCO results: a JSON list of `{"image_id", "category_id", "bbox", "score"}`.

`bbox` is `[x, y, width, height]` in 0-based pixel edges. The ids are those of the data set's own
annotation file. Where it has none, as VOC data has none, an image's id is its file name without
the ending, as a number if it is one (`000012.jpg` is 12), and classes count from 1 in their order.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from pathlib import Path, PurePath
from typing import Any

from frcnn_cli.detection.formats.context import DetectionCollector, SplitIndex, check_box, located
from frcnn_cli.detection.formats.json_fields import field, load_json, number, numbers
from frcnn_cli.detection.formats.writer import FileWriter
from frcnn_cli.errors import DataError
from frcnn_cli.records import DetectedImage, Detections

_FORM = "[x, y, width, height]"


def image_number(file: str) -> int | str:
    """Returns the id of an image that no annotation file numbers."""
    stem = PurePath(file).stem
    return int(stem) if stem.isascii() and stem.isdecimal() else stem


def coco_results(
    found: Detections, image_id: int | str, category_numbers: Sequence[int] = ()
) -> Iterator[dict[str, Any]]:
    """Yields the entries of an image; see `CocoResultsWriter`.

    Args:
        found: of the image.
        image_id: the data set's own.
        category_numbers: the data set's own number of each label 1..K; empty counts from 1.
    """
    for score, label, box in zip(found.scores, found.labels, found.boxes, strict=True):
        x1, y1, x2, y2 = (round(float(edge), 2) for edge in box)
        yield {
            "image_id": image_id,
            "category_id": category_numbers[label - 1] if category_numbers else int(label),
            "bbox": [x1, y1, round(x2 - x1, 2), round(y2 - y1, 2)],
            "score": round(float(score), 6),
        }


class CocoResultsWriter(FileWriter):
    """Writes COCO results; an image without detections leaves no trace in them."""

    words = "COCO results"
    _rows = 0

    def header(self) -> str:
        """Returns the text before the first image."""
        return "["

    def entry(self, image: DetectedImage) -> str:
        """Returns the text of an image, a line per detection."""
        lines = []
        number = self.context.image_numbers.get(image.file, image_number(image.file))
        for row in coco_results(image.detections, number, self.context.category_numbers):
            lines.append(f"{',' if self._rows else ''}\n{json.dumps(row, allow_nan=False)}")
            self._rows += 1
        return "".join(lines)

    def footer(self) -> str:
        """Returns the text after the last image."""
        return "\n]\n" if self._rows else "]\n"


def read_coco(path: Path, index: SplitIndex) -> dict[str, Detections]:
    """Reads COCO results; further keys, such as `segmentation`, are ignored.

    Returns:
        The detections of each image that has some by image id, by decreasing score.

    Raises:
        DataError: the file cannot be read, is of another format, or an entry has an unknown
            `image_id` or `category_id`, or a box or score that cannot be.
    """
    rows = load_json(path)
    if not isinstance(rows, list):
        raise DataError("is not a list", remedy="name a file of COCO results", file=path)
    found = DetectionCollector()
    for i, row in enumerate(rows):
        with located(f"[{i}]", path):
            image_id = index.finder.find_number(field(row, "image_id", int, str))
            label = index.label_of_category(field(row, "category_id", int))
            score = number(field(row, "score"), "score")
            x, y, width, height = numbers(row, "bbox", _FORM)
            box = check_box(
                (x, y, x + width, y + height),
                index.size(image_id),
                f"bbox {row['bbox']}",
                f"use {_FORM} in pixels of the upright image",
            )
            found.add(image_id, score, label, box)
    return found.by_image()
