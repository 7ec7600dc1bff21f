"""The pickles of Detectron, detectron2 and mmdetection, read without running anything in them.

A pickle is a program. This reader knows arrays and the types of plain data and refuses every other
name, and none of what it does know can be made to call anything else.
"""

from __future__ import annotations

import pickle
from collections import OrderedDict
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import IO, Any

import numpy as np
import numpy.typing as npt

from frcnn_cli.errors import DataError
from frcnn_cli.proposals.interchange.convention import BoxConvention
from frcnn_cli.proposals.interchange.record import ImportedProposals, Name, collect, same_length

_DETECTRON = (("boxes",), ("ids", "indexes"), ("objectness_logits", "scores"))
"""How boxes, ids and scores are called; the last names are those of older versions."""
_BOX_MODES = {0: BoxConvention("xyxy", "edges"), 1: BoxConvention("xywh", "edges")}
"""detectron2's BoxMode: XYXY_ABS and XYWH_ABS."""


def read(file: Path) -> ImportedProposals:
    """Reads detectron2's dictionary of columns, or mmdetection's list or dictionary of arrays.

    Raises:
        DataError: it is neither, or holds something else than arrays and plain data.
        OSError: it cannot be opened.
    """
    with file.open("rb") as stream:
        content = load(stream)
    if isinstance(content, dict) and "boxes" in content:
        return _detectron(content)
    if isinstance(content, dict):
        entries: Iterator[tuple[Name | None, Any, Any]] = (
            (_name(name), rows, None) for name, rows in content.items()
        )
    elif isinstance(content, list | tuple):
        entries = ((None, rows, None) for rows in content)
    else:
        raise DataError(f"holds a {type(content).__name__} instead of a list or a dictionary")
    return collect("mmdetection pickle", BoxConvention("xyxy", "edges"), entries)


def load(stream: IO[bytes]) -> Any:
    """Returns what a pickle of arrays and plain data holds.

    Raises:
        DataError: it is damaged, or holds something else.
    """
    try:
        return _PlainUnpickler(stream, encoding="latin1").load()
    except (DataError, MemoryError):
        raise
    except Exception as error:  # a damaged pickle may stumble over anything
        raise DataError(f"is not a pickle of arrays ({type(error).__name__}: {error})") from error


def _detectron(content: dict[str, Any]) -> ImportedProposals:
    boxes, ids, scores = (_column(content, names) for names in _DETECTRON)
    if boxes is None or ids is None:
        raise DataError("has boxes, but no ids", remedy="write `ids` beside `boxes`")
    if scores is None:
        scores = [None] * len(boxes)
    same_length(boxes=boxes, ids=ids, scores=scores)
    mode = int(content.get("bbox_mode", 0))
    if mode not in _BOX_MODES:
        raise DataError(f"bbox_mode is {mode}", remedy="use 0 (XYXY_ABS) or 1 (XYWH_ABS)")
    entries = zip(map(_name, ids), boxes, scores, strict=True)
    return collect("detectron2 pickle", _BOX_MODES[mode], entries)


def _column(content: dict[str, Any], names: Iterable[str]) -> Any:
    return next((content[name] for name in names if name in content), None)


def _name(value: Any) -> Name:
    if isinstance(value, int | np.integer) and not isinstance(value, bool):
        return int(value)
    if isinstance(value, bytes):
        return value.decode("utf-8", "replace")
    return str(value)


def _reconstruct(_: object, __: object, ___: object) -> npt.NDArray[Any]:
    """Stands for NumPy's own: an empty array, never of another class."""
    return np.zeros(0, np.int8)


def _from_buffer(data: Any, dtype: Any, shape: Any, order: Any) -> npt.NDArray[Any]:
    """Stands for NumPy's own, which protocol 5 names; it takes no objects."""
    return np.frombuffer(data, dtype).reshape(shape, order=order)


def _scalar(dtype: Any, data: bytes) -> Any:
    return np.frombuffer(data, dtype)[0]


def _encode(text: str, encoding: str = "latin1") -> bytes:
    """Stands for codecs.encode, by which old protocols write bytes."""
    if encoding not in {"latin1", "latin-1"}:
        raise ValueError(f"encoding {encoding!r}")
    return text.encode("latin1")


class _Array:
    """Stands for the class of arrays, which may be named but not called."""

    def __new__(cls) -> _Array:
        raise ValueError("an array is made by name")


_KNOWN: dict[tuple[str, str], Callable[..., Any] | type] = {
    ("numpy", "ndarray"): _Array,
    ("numpy", "dtype"): np.dtype,
    ("_codecs", "encode"): _encode,
    ("collections", "OrderedDict"): OrderedDict,
    ("detectron2.structures.boxes", "BoxMode"): int,
    **{
        (f"numpy.{core}.{module}", name): ours
        for core in ("core", "_core")
        for module, name, ours in (
            ("multiarray", "_reconstruct", _reconstruct),
            ("multiarray", "scalar", _scalar),
            ("numeric", "_frombuffer", _from_buffer),
        )
    },
    **{
        (module, kind.__name__): kind
        for module in ("builtins", "__builtin__")
        for kind in (bool, int, float, str, bytes, bytearray, list, tuple, dict, set, frozenset)
    },
}


class _PlainUnpickler(pickle.Unpickler):
    def find_class(self, module: str, name: str) -> Any:
        """Returns what stands for a name, or refuses it."""
        try:
            return _KNOWN[module, name]
        except KeyError:
            raise DataError(
                f"holds {module}.{name}, which is neither an array nor plain data; it was not run",
                remedy="write arrays, lists and dictionaries only",
            ) from None

    def persistent_load(self, pid: Any) -> Any:  # noqa: ARG002
        """Refuses what lies outside the file."""
        raise DataError("refers to something outside the file", remedy="write plain arrays")
