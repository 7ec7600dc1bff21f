"""JSON: COCO's results and annotations, and our own export."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from frcnn_cli.decoding import decode_json
from frcnn_cli.errors import DataError
from frcnn_cli.proposals.interchange.convention import BoxConvention
from frcnn_cli.proposals.interchange.record import ImportedProposals, Name, collect

SCHEMA = "frcnn.proposal_boxes/1"
"""`{"schema": …, "images": [{"file": path, "boxes": [[x1, y1, x2, y2], …]}, …]}`."""


def read(file: Path) -> ImportedProposals:
    """Reads COCO results (a list), COCO annotations, or our own export.

    Raises:
        DataError: it is neither.
        OSError: it cannot be opened.
    """
    try:
        document = decode_json(file.read_bytes())
    except ValueError as error:
        raise DataError(f"is not JSON: {error}") from error
    try:
        if isinstance(document, dict) and document.get("schema") == SCHEMA:
            entries = [(str(each["file"]), each["boxes"], None) for each in document["images"]]
            return collect("frcnn proposals as JSON", BoxConvention("xyxy", "edges"), entries)
        if isinstance(document, dict):
            rows = document["annotations"]
            files = {each["id"]: each["file_name"] for each in document.get("images", [])}
        else:
            rows, files = document, {}
        return collect("COCO results", BoxConvention("xywh", "edges"), _by_image(rows, files))
    except (KeyError, TypeError, AttributeError) as error:
        raise DataError(
            f"holds neither COCO results nor {SCHEMA} ({type(error).__name__}: {error})",
            remedy='use a list of {"image_id", "bbox", "score"}',
        ) from error


def _by_image(rows: Any, files: dict[Name, str]) -> Iterator[tuple[Name, Any, Any]]:
    """Yields name, boxes and scores of each image; its rows may lie anywhere in the list."""
    boxes: dict[Name, list[Any]] = {}
    scores: dict[Name, list[float]] = {}
    for row in rows:
        name = files.get(row["image_id"], row["image_id"])
        boxes.setdefault(name, []).append(row["bbox"])
        scores.setdefault(name, []).append(row.get("score", 0.0))
    for name, found in boxes.items():
        yield name, found, scores[name]
