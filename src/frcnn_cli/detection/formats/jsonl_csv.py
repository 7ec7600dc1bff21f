"""Detections line by line, for pipes and for spreadsheets: JSON lines and CSV."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterable

from frcnn_cli.detection.formats.writer import FileWriter
from frcnn_cli.errors import printable
from frcnn_cli.files import as_utf8
from frcnn_cli.records import DetectedImage

_FORMULA = ("=", "+", "-", "@", "\t", "\r")
COLUMNS = ("file", "width", "height", "label", "category_id", "score", "x1", "y1", "x2", "y2")


class _LineWriter(FileWriter):
    """Writes lines that a reader of a pipe sees as soon as an image is done."""

    def add(self, image: DetectedImage) -> None:
        """Writes one image."""
        super().add(image)
        self._stream.flush()


class JsonLinesWriter(_LineWriter):
    """Writes one JSON object per image: an entry of `images` in `boxes.json`."""

    def entry(self, image: DetectedImage) -> str:
        """Returns the line of an image."""
        return json.dumps(image.to_json(self.context.classes), allow_nan=False) + "\n"


class CsvWriter(_LineWriter):
    """Writes one row per detection, below a row of names; what has no detections has no row."""

    def header(self) -> str:
        """Returns the row of names."""
        return _rows([COLUMNS])

    def entry(self, image: DetectedImage) -> str:
        """Returns the rows of an image."""
        file = _cell(as_utf8(image.file))
        found = image.to_json(self.context.classes)["detections"]
        return _rows(
            (
                *(file, image.width, image.height),
                *(_cell(each["label"]), each["category_id"], each["score"]),
                *each["box"],
            )
            for each in found
        )


def _cell(text: str) -> str:
    """Returns a name that a spreadsheet takes for text and not for a formula."""
    return f"'{printable(text)}" if text.startswith(_FORMULA) else printable(text)


def _rows(rows: Iterable[Iterable[object]]) -> str:
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows(rows)
    return text.getvalue()
