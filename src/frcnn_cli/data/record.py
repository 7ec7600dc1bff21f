"""What a data set says about one image, and whether that can be true of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from frcnn_cli import boxes as box_ops
from frcnn_cli.errors import AnnotationError, DataError
from frcnn_cli.records import BoolArray, FloatArray

TOLERANCE = 1.0
"""Pixels by which a box may leave its image unmentioned: files that count from 0 do that."""

LEAST_INSIDE = 0.5
"""Share of a box's area that its image has to hold; less is a box of another image."""

MOST_TOLD = 50
"""Things wrong with one image that are listed; where there are more, that is said."""


@dataclass(frozen=True, slots=True)
class Record:
    """What a data set says about one image, before it is checked.

    Attributes:
        path: the image.
        source: the file that says it, for messages.
        names: the class of each object that can be trusted.
        boxes: (N, 4) float32 xyxy, 0-based pixel edges, not clipped.
        difficult: (N,) bool.
        places: where `source` has each object, such as "object 2" or "line 7".
        faults: what is wrong with the other objects.
        size: upright (width, height) of the image, where the reader had to look.
    """

    path: Path
    source: Path
    names: tuple[str, ...]
    boxes: FloatArray
    difficult: BoolArray
    places: tuple[str, ...]
    faults: tuple[AnnotationError, ...] = ()
    size: tuple[int, int] | None = None


def clip(
    record: Record, size: tuple[int, int]
) -> tuple[FloatArray, list[AnnotationError], list[AnnotationError]]:
    """Returns the boxes clipped to an image of `size` (width, height), and what to tell.

    Returns:
        The boxes; those that have no area or are mostly outside of the image; and those that
        were clipped.
    """
    width, height = size
    clipped = box_ops.clip(record.boxes, width, height)
    refused, warnings = [], []
    for place, name, box, inside in zip(
        record.places, record.names, record.boxes, clipped, strict=True
    ):
        label = f"{place} ({name}) has the box {_corners(box)}"
        image = f"its image of {width} x {height} pixels"
        problem = _refusal(box, inside)
        if problem:
            refused.append(
                AnnotationError(
                    f"{label} {problem.format(image)}",
                    remedy="mend or remove the object",
                    file=record.source,
                )
            )
        elif np.abs(box - inside).max() > TOLERANCE:
            warnings.append(
                AnnotationError(
                    f"{label}, which leaves {image}",
                    remedy="it is clipped",
                    file=record.source,
                )
            )
    return clipped, refused, warnings


def joined(errors: Sequence[DataError]) -> DataError:
    """Returns the first of the errors, with the others in it."""
    first, *others = errors
    if len(errors) > MOST_TOLD:
        more = AnnotationError(
            "has more wrong objects for the same image", remedy="mend these first"
        )
        others = [*others[: MOST_TOLD - 1], more]
    first.others = tuple(others)
    return first


def _refusal(box: FloatArray, inside: FloatArray) -> str:
    """Returns why a box cannot be trusted, given its part `inside` the image {}; or ""."""
    if not (box[2] > box[0] and box[3] > box[1]):
        return "without area"
    if inside[2] <= inside[0] or inside[3] <= inside[1]:
        return "outside {}"
    if float(box_ops.area(inside)) < LEAST_INSIDE * float(box_ops.area(box)):
        return "mostly outside {}"
    return ""


def _corners(box: FloatArray) -> str:
    return "(" + ", ".join(f"{float(edge):g}" for edge in box) + ")"
