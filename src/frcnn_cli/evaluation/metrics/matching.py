"""Matching of detections with objects by the rule of the VOC devkit, without a loop.

Source: the VOC devkit's `VOCevaldet.m`. A detection takes the object of its class and image
with the highest IoU, difficult objects included, and of equal ones the first. With continuous pixel
edges a width is `x2 - x1`, which is the devkit's `xmax - xmin + 1`.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum
from itertools import pairwise

import numpy as np
import numpy.typing as npt

from frcnn_cli.evaluation.metrics.rules import Rules
from frcnn_cli.evaluation.metrics.tables import ObjectTable, SplitTables, decreasing_order
from frcnn_cli.records import BoolArray, DoubleArray, FloatArray, IntArray


class MatchOutcome(IntEnum):
    """Outcome of matching a detection with the objects."""

    FALSE_POSITIVE = 0
    TRUE_POSITIVE = 1
    IGNORED = 2
    """It found a difficult object, and counts neither way."""


@dataclass(frozen=True, slots=True)
class Matches:
    """The D detections of one class over all images, in decreasing score.

    Attributes:
        detections: (D,) int64, rows of the detection table.
        objects: (D,) int64, row of the object with the highest IoU, or -1 where the image has
            no object of the class or none that the detection touches.
        iou: (D,) float64 with that object, 0 where there is none.
        outcomes: (D,) int8 of `MatchOutcome`.
    """

    detections: IntArray
    objects: IntArray
    iou: DoubleArray
    outcomes: npt.NDArray[np.int8]

    def take(self, rows: IntArray | slice) -> Matches:
        """Returns those at `rows` (M,), in their order."""
        return Matches(
            self.detections[rows], self.objects[rows], self.iou[rows], self.outcomes[rows]
        )


def match(
    tables: SplitTables, object_rows: IntArray, detection_rows: IntArray, rules: Rules
) -> Matches:
    """Matches the detections of one class with its objects.

    Args:
        tables: of the split.
        object_rows: (G,) the objects of the class, in the order of the table.
        detection_rows: (D,) the detections of the class, in the order of the table.
        rules: what counts as found.

    Returns:
        The matches in decreasing score; equal scores keep the order of the table, or its reverse.
    """
    objects, detections = tables.objects, tables.detections
    if rules.ties == "last":
        detection_rows = detection_rows[::-1]
    rows = detection_rows[decreasing_order(detections.scores[detection_rows])]
    pairs = _pairs(tables, object_rows, rows)
    if rules.assignment == "free":
        nearest, iou = _free(pairs, objects, detections.image[rows], rules)
    else:
        nearest, iou = _nearest(pairs, len(rows))
    hits = np.flatnonzero(_enough(iou, rules) & (nearest >= 0))
    outcomes = np.full(len(rows), MatchOutcome.FALSE_POSITIVE, np.int8)
    difficult = objects.difficult[nearest[hits]]
    outcomes[hits[difficult]] = MatchOutcome.IGNORED
    hits = hits[~difficult]
    # The hits are in decreasing score, so the first of each object is its true positive.
    _, first = np.unique(nearest[hits], return_index=True)
    outcomes[hits[first]] = MatchOutcome.TRUE_POSITIVE
    return Matches(detections=rows, objects=nearest, iou=iou, outcomes=outcomes)


def nearest_objects(
    tables: SplitTables, object_rows: IntArray, rows: IntArray
) -> tuple[IntArray, DoubleArray]:
    """Returns for each detection in `rows` the object with the highest IoU (or -1), and that IoU.

    Args:
        tables: of the split.
        object_rows: (G,) the objects to look at, increasing.
        rows: (D,) the detections.
    """
    return _nearest(_pairs(tables, object_rows, rows), len(rows))


@dataclass(frozen=True, slots=True)
class _Pairs:
    """Each of D detections with each object of its image, in one flat array of P pairs.

    First detection 0 with its objects, then detection 1 with its objects, and so on.

    Attributes:
        detections: (P,) which of the D detections.
        objects: (P,) row of the object.
        iou: (P,) float64.
        starts: where the pairs of each detection that has some begin.
    """

    detections: IntArray
    objects: IntArray
    iou: DoubleArray
    starts: IntArray


def _pairs(tables: SplitTables, object_rows: IntArray, rows: IntArray) -> _Pairs:
    objects, detections = tables.objects, tables.detections
    image = detections.image[rows]
    first = np.searchsorted(objects.image[object_rows], np.arange(len(objects.image_ids) + 1))
    counts = np.diff(first)[image]
    paired = np.flatnonzero(counts)
    counts = counts[paired]
    starts = np.cumsum(counts) - counts
    within = np.arange(counts.sum()) - np.repeat(starts, counts)
    pair_objects = object_rows[np.repeat(first[image[paired]], counts) + within]
    pair_detections = np.repeat(paired, counts)
    iou = _rowwise_iou(detections.boxes[rows[pair_detections]], objects.boxes[pair_objects])
    return _Pairs(pair_detections, pair_objects, iou, starts)


def _nearest(pairs: _Pairs, number: int) -> tuple[IntArray, DoubleArray]:
    """Returns the object with the highest IoU (or -1) of each of D detections, and that IoU."""
    nearest = np.full(number, -1)
    best = np.zeros(number)
    if len(pairs.starts):
        best[pairs.detections[pairs.starts]] = np.maximum.reduceat(pairs.iou, pairs.starts)
    highest = np.flatnonzero((pairs.iou == best[pairs.detections]) & (pairs.iou > 0))[::-1]
    # Written from the last to the first, so that of equal ones the first object stays.
    nearest[pairs.detections[highest]] = pairs.objects[highest]
    return nearest, best


def _free(
    pairs: _Pairs, objects: ObjectTable, image: IntArray, rules: Rules
) -> tuple[IntArray, DoubleArray]:
    """Returns the object that each of D detections takes by COCO's rule (or -1), and that IoU.

    Of the objects that overlap enough and are not taken, it is the one with the highest IoU; a
    difficult one only if there is no other, and that one can be taken again.

    Args:
        pairs: detections, in decreasing score, and objects.
        objects: the ground truth.
        image: (D,) the image of each detection.
        rules: how much is enough.
    """
    taken, overlap = np.full(len(image), -1), np.zeros(len(image))
    is_free = np.ones(len(objects.labels), np.bool_)
    enough = np.flatnonzero(_enough(pairs.iou, rules))
    if not len(enough):
        return taken, overlap
    detection, candidate, iou = pairs.detections[enough], pairs.objects[enough], pairs.iou[enough]
    turn = _turns(detection, image)
    # The best candidate of a detection comes last: not difficult, then the highest IoU.
    order = np.lexsort((iou, ~objects.difficult[candidate], detection, turn))
    detection, candidate, iou, turn = detection[order], candidate[order], iou[order], turn[order]
    ends = np.searchsorted(turn, np.arange(turn[-1] + 2))
    # One detection of each image at a time: those of other images take other objects.
    for start, end in pairwise(ends):
        free = start + np.flatnonzero(is_free[candidate[start:end]])
        taken[detection[free]] = candidate[free]  # the last one written stays
        overlap[detection[free]] = iou[free]
        chosen = taken[detection[free]]
        is_free[chosen[~objects.difficult[chosen]]] = False
    return taken, overlap


def _turns(detection: IntArray, image: IntArray) -> IntArray:
    """Returns for each pair the number of its detection among those of its image.

    Args:
        detection: (P,) the detection of each pair, never decreasing.
        image: (D,) the image of each detection.
    """
    active, which = np.unique(detection, return_inverse=True)
    order = np.argsort(image[active], kind="stable")
    sorted_image = image[active][order]
    turn = np.empty(len(active), np.int64)
    turn[order] = np.arange(len(active)) - np.searchsorted(sorted_image, sorted_image)
    return turn[which]


def _enough(iou: DoubleArray, rules: Rules) -> BoolArray:
    """Returns whether each IoU makes a match."""
    return iou > rules.iou if rules.above else iou >= rules.iou


def _rowwise_iou(a: FloatArray, b: FloatArray) -> DoubleArray:
    """Returns the IoU (P,) of each row of `a` (P, 4) with the same row of `b` (P, 4)."""
    # In double precision as the devkit, so that an IoU of exactly the threshold is a match.
    ax1, ay1, ax2, ay2 = a.T.astype(np.float64)
    bx1, by1, bx2, by2 = b.T.astype(np.float64)
    width = (np.minimum(ax2, bx2) - np.maximum(ax1, bx1)).clip(min=0)
    height = (np.minimum(ay2, by2) - np.maximum(ay1, by1)).clip(min=0)
    intersection = width * height
    union = (ax2 - ax1) * (ay2 - ay1) + (bx2 - bx1) * (by2 - by1) - intersection
    iou: DoubleArray = intersection / union.clip(min=1e-9)
    return iou
