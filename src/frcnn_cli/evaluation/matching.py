"""Which detection found which object: the matching rule of the VOC devkit, without a loop.

Source: the VOC devkit's `VOCevaldet.m`. A detection takes the object of its class and photograph
with the highest IoU, difficult objects included, and of equal ones the first. With continuous pixel
edges a width is `x2 - x1`, which is the devkit's `xmax - xmin + 1`.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum

import numpy as np
import numpy.typing as npt

from frcnn_cli.evaluation.tables import DetectionTable, ObjectTable
from frcnn_cli.records import FloatArray, IntArray


class Outcome(IntEnum):
    """What a detection counts as."""

    FALSE_POSITIVE = 0
    TRUE_POSITIVE = 1
    IGNORED = 2
    """It found a difficult object, and counts neither way."""


@dataclass(frozen=True, slots=True)
class Matches:
    """The D detections of one class over all photographs, in falling score.

    Attributes:
        detections: (D,) int64, rows of the detection table.
        objects: (D,) int64, row of the object with the highest IoU, or -1 where the photograph has
            no object of the class or none that the detection touches.
        iou: (D,) float64 with that object, 0 where there is none.
        outcomes: (D,) int8 of `Outcome`.
    """

    detections: IntArray
    objects: IntArray
    iou: npt.NDArray[np.float64]
    outcomes: npt.NDArray[np.int8]


def match(
    objects: ObjectTable,
    detections: DetectionTable,
    object_rows: IntArray,
    detection_rows: IntArray,
    iou_threshold: float,
) -> Matches:
    """Matches the detections of one class with its objects.

    Args:
        objects: the ground truth of the split.
        detections: the detections of the split.
        object_rows: (G,) the objects of the class, in the order of the table.
        detection_rows: (D,) the detections of the class, in the order of the table.
        iou_threshold: least IoU of a match, in (0, 1]; the devkit's rule is >=.

    Returns:
        The matches in falling score; equal scores keep the order of the table.
    """
    rows = detection_rows[falling_order(detections.scores[detection_rows])]
    nearest, iou = nearest_objects(objects, detections, object_rows, rows)
    outcomes = np.full(len(rows), Outcome.FALSE_POSITIVE, np.int8)
    hits = np.flatnonzero((iou >= iou_threshold) & (nearest >= 0))
    difficult = objects.difficult[nearest[hits]]
    outcomes[hits[difficult]] = Outcome.IGNORED
    hits = hits[~difficult]
    # The hits are in falling score, so the first of each object is its true positive.
    _, first = np.unique(nearest[hits], return_index=True)
    outcomes[hits[first]] = Outcome.TRUE_POSITIVE
    return Matches(detections=rows, objects=nearest, iou=iou, outcomes=outcomes)


def falling_order(scores: FloatArray) -> IntArray:
    """Returns the order (D,) that sorts `scores` (D,), finite, to fall; equal ones keep theirs.

    The same as `np.argsort(-scores, kind="stable")` and four times as fast: score and position
    are packed into one integer each, which NumPy sorts with vector instructions.
    """
    bits = (scores.astype(np.float32) + np.float32(0)).view(np.uint32)  # + 0 makes -0 a 0
    rising = np.where(bits >> 31, ~bits, bits | np.uint32(1 << 31))
    keys = (~rising).astype(np.uint64) << np.uint64(32) | np.arange(len(bits), dtype=np.uint64)
    keys.sort()
    return (keys & np.uint64(0xFFFFFFFF)).astype(np.int64)


def nearest_objects(
    objects: ObjectTable, detections: DetectionTable, object_rows: IntArray, rows: IntArray
) -> tuple[IntArray, npt.NDArray[np.float64]]:
    """Returns for each detection in `rows` the object with the highest IoU (or -1), and that IoU.

    Only the objects in `object_rows` (rising) are looked at. Every detection is paired with those
    of its photograph, and the pairs lie in one flat array: detection 0 with its objects,
    detection 1 with its objects, and so on.
    """
    nearest = np.full(len(rows), -1)
    best = np.zeros(len(rows))
    image = detections.image[rows]
    starts = np.searchsorted(objects.image[object_rows], np.arange(len(objects.image_ids) + 1))
    counts = np.diff(starts)[image]
    paired = np.flatnonzero(counts)
    if not len(paired):
        return nearest, best
    counts = counts[paired]
    segment_starts = np.cumsum(counts) - counts
    pair_objects = object_rows[
        np.arange(counts.sum()) + np.repeat(starts[image[paired]] - segment_starts, counts)
    ]
    pair_iou = _rowwise_iou(
        detections.boxes[np.repeat(rows[paired], counts)], objects.boxes[pair_objects]
    )
    best[paired] = np.maximum.reduceat(pair_iou, segment_starts)
    owners = np.repeat(paired, counts)
    highest = np.flatnonzero((pair_iou == best[owners]) & (pair_iou > 0))
    # Written from the last to the first, so that of equal ones the first object stays.
    nearest[owners[highest[::-1]]] = pair_objects[highest[::-1]]
    return nearest, best


def _rowwise_iou(a: FloatArray, b: FloatArray) -> npt.NDArray[np.float64]:
    """Returns the IoU (P,) of each row of `a` (P, 4) with the same row of `b` (P, 4)."""
    # In double precision as the devkit, so that an IoU of exactly the threshold is a match.
    ax1, ay1, ax2, ay2 = a.T.astype(np.float64)
    bx1, by1, bx2, by2 = b.T.astype(np.float64)
    width = (np.minimum(ax2, bx2) - np.maximum(ax1, bx1)).clip(min=0)
    height = (np.minimum(ay2, by2) - np.maximum(ay1, by1)).clip(min=0)
    intersection = width * height
    union = (ax2 - ax1) * (ay2 - ay1) + (bx2 - bx1) * (by2 - by1) - intersection
    iou: npt.NDArray[np.float64] = intersection / union.clip(min=1e-9)
    return iou
