"""Values in a JSON document, checked as they are taken out."""

from __future__ import annotations

import reprlib
from pathlib import Path
from typing import Any

import numpy as np

from frcnn_cli.decoding import decode_json
from frcnn_cli.errors import DataError
from frcnn_cli.files import reading

_LARGEST = float(np.finfo(np.float32).max)
_SHOWN = reprlib.Repr()
_SHOWN.maxlevel, _SHOWN.maxlist, _SHOWN.maxdict = 3, 10, 10
_SHOWN.maxstring = _SHOWN.maxlong = _SHOWN.maxother = 200


def load_json(path: Path) -> Any:
    """Returns the document in a file.

    Raises:
        DataError: the file cannot be read, or is not JSON.
    """
    try:
        with reading(path):
            return decode_json(path.read_bytes())
    except ValueError as error:
        raise DataError(
            f"is not JSON: {error}", remedy="name a file that frcnn detect wrote", file=path
        ) from error


def shown(value: Any) -> str:
    """Returns a value as a message has room for it, which may be huge or nested deep."""
    return _SHOWN.repr(value)


def field(entry: Any, name: str, *kinds: type) -> Any:
    """Returns the value `name` of an object.

    Args:
        entry: a JSON value.
        name: of the key.
        kinds: types that the value may have; none allows all.

    Raises:
        DataError: `entry` is not an object, has no such value, or one of another type.
    """
    if not isinstance(entry, dict):
        raise DataError(f"is {shown(entry)}", remedy="use an object in braces")
    if name not in entry:
        raise DataError(f"has no {name!r}", remedy="write the file again")
    value = entry[name]
    if kinds and (not isinstance(value, kinds) or isinstance(value, bool)):
        known = " or ".join(kind.__name__ for kind in kinds)
        raise DataError(f"{name} is {shown(value)}", remedy=f"use a value of type {known}")
    return value


def numbers(entry: Any, name: str, form: str) -> tuple[float, float, float, float]:
    """Returns the list `name` of four numbers.

    Args:
        entry: a JSON value.
        name: of the key.
        form: meaning of the four numbers, for the message.

    Raises:
        DataError: it is missing, of another length, or holds a number that is not finite.
    """
    values = field(entry, name, list)
    if len(values) != 4:
        raise DataError(f"{name} has {len(values)} numbers", remedy=f"use {form}")
    a, b, c, d = (number(value, name) for value in values)
    return a, b, c, d


def number(value: Any, name: str) -> float:
    """Returns `value`, a finite number.

    Raises:
        DataError: it is none.
    """
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    if not is_number or not abs(value) <= _LARGEST:
        raise DataError(f"{name} holds {shown(value)}", remedy="use finite numbers")
    return float(value)
