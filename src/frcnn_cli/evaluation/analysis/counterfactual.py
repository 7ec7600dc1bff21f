"""What the mAP would be if one kind of mistake were mended, each by itself (TIDE §2.3)."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from frcnn_cli.config import VocMetric
from frcnn_cli.evaluation.analysis.error_types import FalseAlarm, FalseAlarms, Misses, objects_found
from frcnn_cli.evaluation.metrics.matching import Matches, Outcome, falling_order
from frcnn_cli.evaluation.metrics.voc import MatchedSplit, score
from frcnn_cli.records import IntArray


def map_without_false_alarms(
    split: MatchedSplit, alarms: FalseAlarms, kind: FalseAlarm, metric: VocMetric
) -> float:
    """Returns the mAP in 0..1 with the false positives of one kind mended.

    Background and duplicates go. A loose box is moved onto its object and a confused one gets its
    object's class: it is then a true positive where it is the first to find that object, and goes
    where it is not.
    """
    mine = alarms.kinds == kind
    rows, objects = alarms.detections[mine], alarms.objects[mine]
    matches = [_without(each, rows) for each in split.matches]
    if kind in (FalseAlarm.LOCALISATION, FalseAlarm.CONFUSED):
        rows, objects = _first_finders(split, rows, objects)
        labels = split.objects.labels[objects]
        matches = [
            _with_found(split, each, rows[labels == label], objects[labels == label])
            for label, each in enumerate(matches, start=1)
        ]
    return score(replace(split, matches=tuple(matches))).mean_ap(metric)


def map_without_misses(split: MatchedSplit, misses: Misses, metric: VocMetric) -> float:
    """Returns the mAP in 0..1 with `misses` no longer counted as objects; 1 where none is left."""
    difficult = split.objects.difficult.copy()
    difficult[misses.objects] = True
    if difficult.all():
        return 1.0
    return score(replace(split, objects=replace(split.objects, difficult=difficult))).mean_ap(
        metric
    )


def _without(matches: Matches, rows: IntArray) -> Matches:
    outcomes = matches.outcomes.copy()
    outcomes[np.isin(matches.detections, rows)] = Outcome.IGNORED
    return replace(matches, outcomes=outcomes)


def _first_finders(
    split: MatchedSplit, rows: IntArray, objects: IntArray
) -> tuple[IntArray, IntArray]:
    """Returns the pairs in which a detection is the first to find its object, by falling score."""
    order = falling_order(split.detections.scores[rows])
    rows, objects = rows[order], objects[order]
    free = ~split.objects.difficult[objects] & ~np.isin(objects, objects_found(split))
    rows, objects = rows[free], objects[free]
    _, first = np.unique(objects, return_index=True)
    return rows[first], objects[first]


def _with_found(
    split: MatchedSplit, matches: Matches, rows: IntArray, objects: IntArray
) -> Matches:
    """Returns `matches` with `rows` added as true positives of `objects`, in falling score."""
    detections = np.append(matches.detections, rows)
    order = falling_order(split.detections.scores[detections])
    hits = np.full(len(rows), Outcome.TRUE_POSITIVE, np.int8)
    return Matches(
        detections=detections[order],
        objects=np.append(matches.objects, objects)[order],
        iou=np.append(matches.iou, np.ones(len(rows)))[order],
        outcomes=np.append(matches.outcomes, hits)[order],
    )
