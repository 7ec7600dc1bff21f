"""The files that name YOLO's classes and splits, as text: YAML, and darknet's `*.data`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml

from frcnn_cli.data.formats.layout import is_file
from frcnn_cli.data.formats.yolo_paths import EntryFinder, class_lines
from frcnn_cli.errors import DataError
from frcnn_cli.files import reading, text_lines

LARGEST_YAML = 1 << 20
"""Largest size of a `data.yaml` in bytes."""
_MOST_VALUES = 200_000
"""Values of a `data.yaml`, with all that its aliases repeat: a few lines can stand for billions."""


def load_yaml(path: Path) -> dict[str, Any]:
    """Returns the entries of a YAML file by their names in lower case; none if it is not a mapping.

    Lists, mappings and texts; no number, date or object is made.

    Raises:
        DataError: it cannot be read or is not YAML.
    """
    with reading(path):
        if path.stat().st_size > LARGEST_YAML:
            raise DataError(
                f"has more than {LARGEST_YAML:,} bytes", remedy="check the file", file=path
            )
        data = path.read_bytes()
    try:
        # Every scalar stays text: a class may be called "no" or "2024-01-01".
        content = yaml.load(data.decode("utf-8-sig"), Loader=yaml.BaseLoader)  # type: ignore[no-untyped-call]
        if _count(content, {}) > _MOST_VALUES:
            raise ValueError(f"its aliases stand for more than {_MOST_VALUES:,} values")
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        problem = " ".join(str(error).split())[:200]
        raise DataError(f"is not YAML ({problem})", remedy="fix the file", file=path) from error
    if not isinstance(content, dict):
        return {}
    return {str(key).strip().lower(): value for key, value in content.items()}


def _count(value: Any, known: dict[int, int]) -> int:
    """Returns how many values a value consists of; `known` holds what was counted, by identity."""
    if not isinstance(value, dict | list):
        return 1
    if id(value) not in known:
        inside = value.values() if isinstance(value, dict) else value
        known[id(value)] = 1 + sum(_count(each, known) for each in inside)
    return known[id(value)]


def load_darknet(path: Path) -> dict[str, Any]:
    """Returns the entries of darknet's `obj.data`, "KEY = VALUE" a line; none of another.

    `names` is the list in the file that it names.

    Raises:
        DataError: it cannot be read, or the file of names is not there.
    """
    try:
        pairs = [line.partition("=") for _, line in text_lines(path)]
    except DataError:
        return {}
    content: dict[str, Any] = {key.strip().lower(): value.strip() for key, _, value in pairs}
    if "names" not in content or not content.keys() & {"train", "valid", "val", "test"}:
        return {}
    names = EntryFinder(path, None).place(content["names"])
    if names is None or not is_file(names):
        raise DataError(
            f"names {content['names'][:200]!r}, which is not in {path.parent}",
            remedy="put the list of class names beside it",
            file=path,
        )
    content["names"] = class_lines(names)
    return content
