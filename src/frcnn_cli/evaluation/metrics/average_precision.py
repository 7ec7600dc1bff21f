"""Average precision of one precision-recall curve.

| function | rule | source |
|---|---|---|
| `eleven_point` | mean of the highest precision at 11 levels | VOC2007, `VOCevaldet.m` |
| `area_under_curve` | area under the monotone precision | VOC2010 and later, `VOCap.m` |
| `at_levels(COCO_LEVELS)` | mean of the highest precision at 101 levels | COCO, `cocoeval.py` |
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from frcnn_cli.records import DoubleArray

Curve = DoubleArray

RECALL_LEVELS = np.arange(11) / 10
"""0, 0.1, … 1, each the double nearest to its fraction, so that 3 objects of 10 reach level 0.3
(`np.arange(0, 1.1, 0.1)`, which some ports use, puts that level at 0.30000000000000004)."""

COCO_LEVELS = np.linspace(0, 1, 101)
"""0, 0.01, … 1, as COCO's evaluator makes them."""


def precision_recall(true_positive: npt.NDArray[np.bool_], objects: int) -> tuple[Curve, Curve]:
    """Returns precision (M,) and recall (M,) after each detection.

    Args:
        true_positive: (M,) of the detections that count, in decreasing score.
        objects: how many objects there are to find (not the difficult ones), at least 1.
    """
    found = np.cumsum(true_positive)
    return found / np.arange(1, len(found) + 1), found / objects


def eleven_point(precision: Curve, recall: Curve) -> float:
    """Returns VOC07's AP in 0..1: the mean of the highest precision at recall >= 0, 0.1, … 1."""
    return at_levels(precision, recall, RECALL_LEVELS)


def at_levels(precision: Curve, recall: Curve, levels: Curve) -> float:
    """Returns the mean, in 0..1, of the highest precision at a recall of at least each level.

    Args:
        precision: (M,) after each detection.
        recall: (M,) beside it, never decreasing.
        levels: (L,) of recall.
    """
    highest_from_here = np.append(_monotone(precision), 0.0)
    return float(highest_from_here[np.searchsorted(recall, levels)].mean())


def area_under_curve(precision: Curve, recall: Curve) -> float:
    """Returns VOC10's AP in 0..1: the area under the precision made monotone in recall."""
    return float(np.sum(np.diff(recall, prepend=0.0) * _monotone(precision)))


def _monotone(precision: Curve) -> Curve:
    """Returns for each point the highest precision at its recall or a higher one."""
    return np.maximum.accumulate(precision[::-1])[::-1]
