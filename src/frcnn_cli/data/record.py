"""The annotation of one image as its file has it, and its check against the image."""

from __future__ import annotations

import dataclasses
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

LEAST_AREA = 0.99
"""Pixels that an object in pixels covers; fewer are shares of the sides, or a slip of the mouse."""

MOST_REPORTED = 50
"""Things wrong with one image that are listed; where there are more, that is reported."""


@dataclass(frozen=True, slots=True)
class Record:
    """The annotation of one image, before it is checked.

    Attributes:
        path: the image.
        source: the file that it was read from, for messages.
        names: the class of each object that can be trusted.
        boxes: (N, 4) float32 xyxy, 0-based pixel edges, not clipped.
        difficult: (N,) bool.
        places: where `source` has each object, such as "object 2" or "line 7".
        faults: what is wrong with the other objects.
        size: upright (width, height) of the image, where the reader had to look.
        in_pixels: whether the file gives pixels; else it gives shares of the sides.
    """

    path: Path
    source: Path
    names: tuple[str, ...]
    boxes: FloatArray
    difficult: BoolArray
    places: tuple[str, ...]
    faults: tuple[AnnotationError, ...] = ()
    size: tuple[int, int] | None = None
    in_pixels: bool = True

    def fault(self, problem: str, remedy: str) -> AnnotationError:
        """Returns what is wrong with an object, as an error about `source`."""
        return AnnotationError(problem, remedy=remedy, file=self.source)


def clip(
    record: Record, size: tuple[int, int]
) -> tuple[FloatArray, list[AnnotationError], list[AnnotationError]]:
    """Returns the boxes clipped to an image of `size` (width, height), and what to report.

    Returns:
        The boxes; those that have no area, are not in pixels or are mostly outside of the image;
        and those that were clipped.
    """
    if _all_inside(record.boxes, size):
        return record.boxes, [], []
    clipped = box_ops.clip(record.boxes, *size)
    moved = np.abs(record.boxes - clipped).max(axis=1, initial=0) > TOLERANCE
    whole = box_ops.area(record.boxes)
    sound = (record.boxes[:, 2:] > record.boxes[:, :2]).all(axis=1) & (whole >= 1)
    sound &= (record.boxes[:, 2:] > 1).any(axis=1)
    sound &= (clipped[:, 2:] > clipped[:, :2]).all(axis=1)
    sound &= box_ops.area(clipped) >= LEAST_INSIDE * whole
    refused, warnings = [], []
    image = f"its image of {size[0]} x {size[1]} pixels"
    for i in np.flatnonzero(moved | ~sound).tolist():
        box = record.boxes[i]
        label = f"{record.places[i]} ({record.names[i]}) has the box {_corners(box)}"
        problem = _refusal(box, clipped[i], in_pixels=record.in_pixels)
        if problem:
            refused.append(
                record.fault(f"{label} {problem.format(image)}", "fix or remove the object")
            )
        elif moved[i]:
            warnings.append(record.fault(f"{label}, which leaves {image}", "it is clipped"))
    return clipped, refused, warnings


def _all_inside(boxes: FloatArray, size: tuple[int, int]) -> bool:
    """Returns whether nothing can be wrong with boxes, which is quickly seen of most images."""
    if not len(boxes):
        return True
    low, high = boxes[:, :2], boxes[:, 2:]
    return bool(low.min() >= 0 and (high <= size).all() and (high - low).min() >= 1 < high.min())


def without_repeats(record: Record) -> tuple[Record, list[AnnotationError]]:
    """Returns the record with each object once, and which others had the same class and box.

    An object that is difficult in one place and not in another is not.
    """
    boxes = map(tuple, record.boxes.tolist())
    first: dict[tuple[object, ...], int] = {}
    repeats, difficult = [], record.difficult.copy()
    for i, key in enumerate(zip(record.names, boxes, strict=True)):
        if (same := first.setdefault(key, i)) != i:
            label = f"{record.places[i]} ({record.names[i]})"
            problem = f"{label} has the class and the box of {record.places[same]}"
            repeats.append(record.fault(problem, "it is used once"))
            difficult[same] &= difficult[i]
    if not repeats:
        return record, []
    kept = list(first.values())
    once = dataclasses.replace(
        record,
        names=tuple(record.names[i] for i in kept),
        boxes=record.boxes[kept],
        difficult=difficult[kept],
        places=tuple(record.places[i] for i in kept),
    )
    return once, repeats


def joined(errors: Sequence[DataError]) -> DataError:
    """Returns the first of the errors, with the others in it."""
    first, *others = errors
    if len(errors) > MOST_REPORTED:
        more = AnnotationError(
            "has more wrong objects for the same image", remedy="fix these first"
        )
        others = [*others[: MOST_REPORTED - 1], more]
    first.others = tuple(others)
    return first


def _refusal(box: FloatArray, inside: FloatArray, *, in_pixels: bool) -> str:
    """Returns why a box cannot be trusted, given its part `inside` the image {}; or ""."""
    if not (box[2] > box[0] and box[3] > box[1]):
        return "without area"
    if in_pixels and box.min() >= -1 and box.max() <= 1:  # VOC's readers subtract 1
        return "with no number over 1: shares of the sides, not pixels"
    if in_pixels and float(box_ops.area(box)) < LEAST_AREA:
        return "of less than a pixel"
    if inside[2] <= inside[0] or inside[3] <= inside[1]:
        return "outside {}"
    if float(box_ops.area(inside)) < LEAST_INSIDE * float(box_ops.area(box)):
        return "mostly outside {}"
    return ""


def _corners(box: FloatArray) -> str:
    return "(" + ", ".join(f"{float(edge):g}" for edge in box) + ")"
