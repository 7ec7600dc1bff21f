"""`boxes.json`, the format `frcnn.detections/1`: a writer that streams, and a strict reader."""

from __future__ import annotations

import json
import math
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Self, TextIO

import numpy as np

from frcnn_cli.errors import DataError
from frcnn_cli.evaluation.photographs import PhotographFinder
from frcnn_cli.records import DetectedImage, Detections, Sample, as_boxes

SCHEMA = "frcnn.detections/1"
BOUNDS_TOLERANCE = 1.0
"""Pixels that a box may reach beyond its photograph: what rounding and 1-based tools leave."""


class DetectionsWriter:
    """Writes detections as they come; the file appears, whole, when the block is left.

    A block that is left by an exception leaves the file as it was before. One that is interrupted
    and wants to keep its work catches the exception inside and leaves in the ordinary way.

    Example:
        with DetectionsWriter(Path("boxes.json"), checkpoint=…, backbone=…, classes=…) as writer:
            for image in images:
                writer.write(image)

    Args:
        target: a file, whose folder is made if need be, or a text stream, which stays open.
        checkpoint: where the weights came from, as told to the reader.
        backbone: name of the network.
        classes: names of the labels 1..K.

    Raises:
        DataError: the file cannot be written.
    """

    def __init__(
        self, target: Path | TextIO, *, checkpoint: str, backbone: str, classes: Sequence[str]
    ) -> None:
        self._target = target.resolve() if isinstance(target, Path) else target
        self._temporary: Path | None = None
        self._classes = tuple(classes)
        self._model = {
            "checkpoint": checkpoint,
            "backbone": backbone,
            "classes": list(self._classes),
        }
        self._images = 0

    def __enter__(self) -> Self:
        self._stream = self._open()
        self._put(f'{{"schema": {_dump(SCHEMA)},\n "model": {_dump(self._model)},\n "images": [')
        return self

    def write(self, image: DetectedImage) -> None:
        """Appends one photograph."""
        entry = _dump(image.to_json(self._classes))
        self._put(f",\n  {entry}" if self._images else f"\n  {entry}")
        self._images += 1

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        try:
            if error is None:
                self._put("\n ]}\n" if self._images else "]}\n")
                self._stream.flush()
            if isinstance(self._target, Path):
                self._stream.close()
            if error is None and self._temporary:
                self._temporary.replace(self._target)  # type: ignore[arg-type]
        except OSError as problem:
            raise self._failure(problem) from problem
        finally:
            if self._temporary:
                self._temporary.unlink(missing_ok=True)

    def _open(self) -> TextIO:
        if not isinstance(self._target, Path):
            return self._target
        path = self._target
        if not path.exists() or path.is_file():
            # Anything else, such as /dev/null or a named pipe, is written straight.
            path = self._temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            return path.open("w", encoding="utf-8", newline="\n")
        except OSError as problem:
            raise self._failure(problem) from problem

    def _put(self, text: str) -> None:
        try:
            self._stream.write(text)
        except OSError as problem:
            raise self._failure(problem) from problem

    def _failure(self, problem: OSError) -> DataError:
        where = self._target if isinstance(self._target, Path) else "standard output"
        return DataError(
            f"cannot be written ({problem.strerror})",
            remedy="name a file in a folder that you can write to",
            file=where,
        )


def read_detections(
    path: Path, samples: Sequence[Sample], classes: Sequence[str]
) -> dict[str, Detections]:
    """Reads a `frcnn.detections/1` file, whoever wrote it, as the detections of `samples`.

    Args:
        path: the file.
        samples: the photographs that the file may speak of; it need not name all of them.
        classes: names of the labels 1..K; the file's own order does not matter.

    Returns:
        The detections of each photograph in the file by image id, in falling score.

    Raises:
        DataError: the file cannot be read, is of another format, or an entry names an unknown
            photograph or class, lists a photograph twice, or has a box or score that cannot be.
    """
    document = _load(path)
    finder = PhotographFinder(samples)
    labels = {name: label for label, name in enumerate(classes, start=1)}
    found: dict[str, Detections] = {}
    for i, entry in enumerate(document["images"]):
        try:
            image_id = finder.find(_field(entry, "file", str))
            if image_id in found:
                raise DataError(
                    f"photograph {entry['file']!r} is listed twice", remedy="keep one entry"
                )
            found[image_id] = _read_image(entry, labels)
        except DataError as error:
            raise _located(error, f"images[{i}]", path) from error
    return found


def _load(path: Path) -> dict[str, Any]:
    try:
        document = json.loads(path.read_bytes())
    except OSError as error:
        raise DataError(f"cannot be read ({error.strerror})", file=path) from error
    except (ValueError, RecursionError) as error:
        raise DataError(
            f"is not JSON: {error}", remedy="name a file that frcnn detect wrote", file=path
        ) from error
    schema = document.get("schema") if isinstance(document, dict) else None
    if schema != SCHEMA:
        raise DataError(
            f"its schema is {schema!r}", remedy=f"name a file of format {SCHEMA}", file=path
        )
    if not isinstance(document.get("images"), list):
        raise DataError("has no list of images", remedy="write the file again", file=path)
    return dict(document)


def _read_image(entry: Mapping[str, Any], labels: Mapping[str, int]) -> Detections:
    width, height = _field(entry, "width", int), _field(entry, "height", int)
    rows = []
    for i, each in enumerate(_field(entry, "detections", list)):
        try:
            rows.append(
                (_label(each, labels), _score(each), _box(each, float(width), float(height)))
            )
        except DataError as error:
            raise _located(error, f"detections[{i}]") from error
    rows.sort(key=lambda row: -row[1])  # stable, so that equal scores keep the file's order
    return Detections(
        boxes=as_boxes([box for _, _, box in rows]),
        scores=np.array([score for _, score, _ in rows], np.float32),
        labels=np.array([label for label, _, _ in rows], np.int64),
    )


def _label(entry: Mapping[str, Any], labels: Mapping[str, int]) -> int:
    name = _field(entry, "label", str)
    if name not in labels:
        same = [known for known in labels if known.casefold() == name.casefold()]
        remedy = f"write it as {same[0]!r}" if same else f"use one of {', '.join(labels)}"
        raise DataError(f"unknown class {name!r}", remedy=remedy)
    return labels[name]


def _score(entry: Mapping[str, Any]) -> float:
    score = _number(_field(entry, "score"), "score")
    if not 0 <= score <= 1:
        raise DataError(f"score is {score}", remedy="use a score between 0 and 1")
    return score


def _box(entry: Mapping[str, Any], width: float, height: float) -> tuple[float, ...]:
    edges = _field(entry, "box", list)
    if len(edges) != 4:
        raise DataError(f"box has {len(edges)} numbers", remedy="use [x1, y1, x2, y2]")
    x1, y1, x2, y2 = (_number(edge, "box") for edge in edges)
    if x2 < x1 or y2 < y1:
        raise DataError(
            f"box {edges} ends before it starts",
            remedy="use [x1, y1, x2, y2], not [x, y, width, height]",
        )
    slack = BOUNDS_TOLERANCE
    if min(x1, y1) < -slack or x2 > width + slack or y2 > height + slack:
        raise DataError(
            f"box {edges} lies outside its photograph of {width:g}×{height:g} pixels",
            remedy="use pixels of the upright photograph",
        )
    return x1, y1, x2, y2


def _field(entry: Any, name: str, kind: type | None = None) -> Any:
    if not isinstance(entry, dict):
        raise DataError(f"is {entry!r}", remedy="use an object in braces")
    if name not in entry:
        raise DataError(f"has no {name!r}", remedy="write the file again")
    value = entry[name]
    if kind is not None and not isinstance(value, kind):
        raise DataError(f"{name} is {value!r}", remedy=f"use a value of type {kind.__name__}")
    return value


def _number(value: Any, name: str) -> float:
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    if not is_number or not math.isfinite(value):
        raise DataError(f"{name} holds {value!r}", remedy="use finite numbers")
    return float(value)


def _located(error: DataError, place: str, file: Path | None = None) -> DataError:
    """Returns `error` with the place in the document in front of what it says."""
    joint = "." if error.problem.startswith("detections[") else ": "
    return DataError(f"{place}{joint}{error.problem}", remedy=error.remedy, file=file)


def _dump(value: Any) -> str:
    # ASCII, so that a file name which is not valid Unicode can be written and read back.
    return json.dumps(value, allow_nan=False)
