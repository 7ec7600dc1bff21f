"""The mAP if one type of error were fixed, each alone (TIDE §2.3)."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from frcnn_cli.config import VocMetric
from frcnn_cli.evaluation.analysis.error_types import (
    FalsePositives,
    FalsePositiveType,
    objects_found,
)
from frcnn_cli.evaluation.metrics.matching import Matches, MatchOutcome
from frcnn_cli.evaluation.metrics.tables import decreasing_order
from frcnn_cli.evaluation.metrics.voc import MatchedSplit, score
from frcnn_cli.records import IntArray


def map_without_false_positives(
    split: MatchedSplit,
    false_positives: FalsePositives,
    error_type: FalsePositiveType,
    metric: VocMetric,
) -> float:
    """Returns the mAP in 0..1 with the false positives of one type fixed.

    Background and duplicates are dropped. A loose box is moved onto its object and a confused one
    gets its object's class: it is then a true positive if it is the first to find that object, and
    is dropped if it is not.

    Args:
        split: the matched split.
        false_positives: those of the split, from `find_false_positives`.
        error_type: the type to fix.
        metric: the rule of AP.
    """
    mine = false_positives.types == error_type
    rows, objects = false_positives.detections[mine], false_positives.objects[mine]
    matches = [_without(each, rows) for each in split.matches]
    if error_type in (FalsePositiveType.LOCALISATION, FalsePositiveType.CONFUSED):
        rows, objects = _first_finders(split, rows, objects)
        labels = split.objects.labels[objects]
        matches = [
            _with_found(split, each, rows[labels == label], objects[labels == label])
            for label, each in enumerate(matches, start=1)
        ]
    return score(replace(split, matches=tuple(matches))).mean_ap(metric)


def map_without_false_negatives(split: MatchedSplit, missed: IntArray, metric: VocMetric) -> float:
    """Returns the mAP in 0..1 without the objects `missed` (M,); 1 where none is left.

    Args:
        split: the matched split.
        missed: (M,) rows of the object table.
        metric: the rule of AP.
    """
    difficult = split.objects.difficult.copy()
    difficult[missed] = True
    if difficult.all():
        return 1.0
    return score(replace(split, objects=replace(split.objects, difficult=difficult))).mean_ap(
        metric
    )


def _without(matches: Matches, rows: IntArray) -> Matches:
    outcomes = matches.outcomes.copy()
    outcomes[np.isin(matches.detections, rows)] = MatchOutcome.IGNORED
    return replace(matches, outcomes=outcomes)


def _first_finders(
    split: MatchedSplit, rows: IntArray, objects: IntArray
) -> tuple[IntArray, IntArray]:
    """Returns the pairs in which a detection, by decreasing score, is the first on its object."""
    order = decreasing_order(split.detections.scores[rows])
    rows, objects = rows[order], objects[order]
    free = ~split.objects.difficult[objects] & ~np.isin(objects, objects_found(split))
    rows, objects = rows[free], objects[free]
    _, first = np.unique(objects, return_index=True)
    return rows[first], objects[first]


def _with_found(
    split: MatchedSplit, matches: Matches, rows: IntArray, objects: IntArray
) -> Matches:
    """Returns `matches` with `rows` added as true positives of `objects`, in decreasing score."""
    joined = Matches(
        detections=np.append(matches.detections, rows),
        objects=np.append(matches.objects, objects),
        iou=np.append(matches.iou, np.ones(len(rows))),
        outcomes=np.append(
            matches.outcomes, np.full(len(rows), MatchOutcome.TRUE_POSITIVE, np.int8)
        ),
    )
    return joined.take(decreasing_order(split.detections.scores[joined.detections]))
