"""Recall of proposals: how well they cover the objects of a split, whatever their class.

Recall at an IoU is the share of objects that some proposal overlaps by that much; the average best
overlap is the mean of the highest IoU (Uijlings et al., IJCV 2013, §5). Difficult objects are left
out, as the scorer leaves them out.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from frcnn_cli import boxes as box_ops
from frcnn_cli.records import DoubleArray, FloatArray, IntArray, Sample

LEVELS: DoubleArray = np.arange(10, 20) / 20
"""0.5, 0.55, … 0.95, each the double nearest to its fraction."""
POSITIVE_IOU = 0.5
"""IoU threshold of a proposal that training can use as an object (§2.3)."""


@dataclass(frozen=True, slots=True)
class Overlaps:
    """Overlaps of the proposals of I images with their G objects, difficult ones left out.

    Attributes:
        iou: (G,) highest IoU of a proposal with the object.
        rank: (G,) place from 1 of the first proposal that overlaps the object by `POSITIVE_IOU`;
            0 where none does.
        labels: (G,) in 1..K.
        areas: (G,) of the object's box, square pixels.
        proposals: (I,) how many an image has.
        positives: (I,) how many of them overlap an object by `POSITIVE_IOU`.
        objects: (I,) how many objects an image has.
    """

    iou: DoubleArray
    rank: IntArray
    labels: IntArray
    areas: DoubleArray
    proposals: IntArray
    positives: IntArray
    objects: IntArray


@dataclass(frozen=True, slots=True)
class Recall:
    """Recall of some objects, at least one.

    Attributes:
        objects: how many.
        by_iou: (10,) share of them that is covered at each of `LEVELS`.
        best_overlap: mean of their highest IoU (ABO).
    """

    objects: int
    by_iou: DoubleArray
    best_overlap: float

    @property
    def average(self) -> float:
        """Recall averaged over `LEVELS`."""
        return float(self.by_iou.mean())


def measure_overlaps(images: Iterable[tuple[Sample, FloatArray]]) -> Overlaps:
    """Compares proposals (N, 4), best first, with the objects of each image."""
    rows = [_measure(sample, proposals) for sample, proposals in images]
    nothing = (np.zeros(0), *[np.zeros(0, np.int64)] * 2, np.zeros(0), *[np.zeros(0, np.int64)] * 3)
    return Overlaps(*(np.concatenate(column) for column in zip(nothing, *rows, strict=True)))


def recall(iou: DoubleArray) -> Recall | None:
    """Returns the recall of the objects with the highest IoUs `iou` (G,); None where G is 0."""
    if not len(iou):
        return None
    return Recall(len(iou), (iou[:, None] >= LEVELS).mean(axis=0), float(iou.mean()))


def recall_by_count(rank: IntArray, counts: IntArray) -> DoubleArray:
    """Returns the recall at `POSITIVE_IOU` with only the first so many proposals per image.

    Args:
        rank: (G,) as in `Overlaps`, at least one.
        counts: (C,) numbers of proposals.
    """
    found = np.sort(rank[rank > 0])
    shares: DoubleArray = np.searchsorted(found, counts, side="right") / len(rank)
    return shares


def _measure(
    sample: Sample, proposals: FloatArray
) -> tuple[DoubleArray, IntArray, IntArray, DoubleArray, IntArray, IntArray, IntArray]:
    """Returns one image's part of each column of `Overlaps`."""
    objects = sample.boxes[~sample.difficult].astype(np.float64)
    # In double precision as the scorer's, so that an IoU of exactly the threshold is one.
    iou = box_ops.iou(proposals.astype(np.float64), objects)
    positive = iou >= POSITIVE_IOU
    covered = positive.any(axis=0)
    first = positive.argmax(axis=0) + 1 if len(proposals) else np.zeros(len(objects), np.int64)
    return (
        iou.max(axis=0, initial=0.0),
        np.where(covered, first, 0),
        sample.labels[~sample.difficult],
        box_ops.area(objects),
        np.array([len(proposals)]),
        np.array([positive.any(axis=1).sum()]),
        np.array([len(objects)]),
    )
