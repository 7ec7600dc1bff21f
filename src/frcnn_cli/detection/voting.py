"""Box voting: what a class's other boxes add to the ones that non-maximum suppression keeps.

Suppression keeps the place of one region and forgets the others that say the same. Their mean is a
better place (Gidaris & Komodakis, ICCV 2015), and how many agree tells an object from a region that
happens to look like one.
"""

from __future__ import annotations

import numpy as np

from frcnn_cli import boxes as box_ops
from frcnn_cli.records import Detections, IntArray

_LEAST_VOTER = 0.01


def least_voter(score: float) -> float:
    """Returns the score above which a box votes, where `score` is the least that is reported."""
    return min(score, _LEAST_VOTER)


def vote(candidates: Detections, kept: IntArray, iou: float, support: float) -> Detections:
    """Returns the kept boxes, moved and rescored, in falling score.

    A kept box takes the mean of the boxes of its class that overlap it by `iou` or more, itself
    among them, weighted by their scores. With w the sum of these scores, its own score s becomes
    s · w / (w + support).

    Args:
        candidates: N boxes before suppression.
        kept: (M,) places of those that stay.
        iou: in 0..1, not 0.
        support: 0 leaves the scores.
    """
    boxes, scores = candidates.boxes[kept], candidates.scores[kept]
    labels = candidates.labels[kept]
    for label in np.unique(labels):
        ours, voters = labels == label, candidates.labels == label
        overlaps = box_ops.iou(boxes[ours], candidates.boxes[voters])
        weights = np.where(overlaps >= iou, candidates.scores[voters], np.float32(0))
        sums = weights.sum(axis=1)
        boxes[ours] = weights @ candidates.boxes[voters] / sums[:, None]
        if support:
            scores[ours] *= sums / (sums + np.float32(support))
    order = np.argsort(-scores, kind="stable")
    return Detections(boxes[order], scores[order], labels[order])
