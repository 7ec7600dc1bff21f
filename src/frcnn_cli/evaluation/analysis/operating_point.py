"""The operating point: the score at which a detector would be used.

A mAP is made of every detection, most of them unlikely ones that nobody would be shown. What is
missed and what is wrong is reported at one score: the one that balances the two best.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from frcnn_cli.evaluation.metrics.tables import decreasing_order
from frcnn_cli.evaluation.metrics.voc import MatchedSplit
from frcnn_cli.records import OperatingPoint


def best_operating_point(split: MatchedSplit) -> OperatingPoint:
    """Returns the score with the highest F1 of all detections, the higher one of equals.

    A split without detections that count works at 1.0, where nothing is found.
    """
    scores, right = split.counted()
    wanted = int((~split.objects.difficult).sum())
    if not len(scores) or not wanted:
        return OperatingPoint(1.0, 0.0, 0.0)
    order = decreasing_order(scores)
    scores, hits = scores[order], np.cumsum(right[order])
    reported = np.arange(1, len(scores) + 1)
    f1 = 2 * hits / (reported + wanted)
    f1[:-1][scores[:-1] == scores[1:]] = -1  # a threshold cannot part equal scores
    best = int(np.argmax(f1))
    return OperatingPoint(
        float(scores[best]), float(hits[best] / reported[best]), float(hits[best] / wanted)
    )


def operating_point(split: MatchedSplit, score: float) -> OperatingPoint:
    """Returns precision and recall of the detections from `score` on; 0 where there are none."""
    scores, right = split.counted()
    reported = scores >= score
    hits, wanted = int(right[reported].sum()), int((~split.objects.difficult).sum())
    return OperatingPoint(score, hits / max(int(reported.sum()), 1), hits / max(wanted, 1))


def from_score(split: MatchedSplit, score: float) -> MatchedSplit:
    """Returns the split with the detections below `score` left out.

    Objects are given to detections in decreasing score, so what is left keeps its matches.
    """
    scores = split.detections.scores
    counts = [int((scores[each.detections] >= score).sum()) for each in split.matches]
    matches = (each.take(slice(n)) for each, n in zip(split.matches, counts, strict=True))
    return replace(split, matches=tuple(matches))
