"""The confusion matrix: a matrix with one row per true class and one for no object."""

from __future__ import annotations

import numpy as np

from frcnn_cli.evaluation.analysis.error_types import (
    FalsePositives,
    FalsePositiveType,
    objects_found,
)
from frcnn_cli.evaluation.metrics.tables import decreasing_order
from frcnn_cli.evaluation.metrics.voc import MatchedSplit
from frcnn_cli.records import IntArray


def confusion_matrix(split: MatchedSplit, wrong: FalsePositives) -> IntArray:
    """Returns the counts (K + 1, K + 1); row and column 0 stand for "nothing", k for class k.

    Row k holds each object of class k once, difficult ones excepted: in column k where it is found,
    else in the column of the highest-scored detection that took it for another class, else in
    column 0, missed. Row 0 holds every other false positive in its column. So a row's sum is the
    number of objects, a column's the number of detections that count.

    Args:
        split: the matched split, usually cut at its operating point.
        wrong: its false positives, from `find_false_positives`.
    """
    k = len(split.classes) + 1
    counts = np.zeros((k, k), np.int64)
    labels = split.objects.labels
    found = objects_found(split)
    np.add.at(counts, (labels[found], labels[found]), 1)

    free = ~split.objects.difficult
    free[found] = False
    takes = np.flatnonzero(wrong.types == FalsePositiveType.CONFUSED)
    takes = takes[free[wrong.objects[takes]]]
    takes = takes[decreasing_order(split.detections.scores[wrong.detections[takes]])]
    _, first = np.unique(wrong.objects[takes], return_index=True)
    takes = takes[first]
    taken_for = split.detections.labels[wrong.detections[takes]]
    np.add.at(counts, (labels[wrong.objects[takes]], taken_for), 1)

    free[wrong.objects[takes]] = False
    counts[1:, 0] = np.bincount(labels[free], minlength=k)[1:]
    others = np.delete(split.detections.labels[wrong.detections], takes)
    counts[0, 1:] = np.bincount(others, minlength=k)[1:]
    return counts
