"""Bootstrap intervals: how far the mAP would move with other images of the same kind.

A resample draws as many images as there are, with replacement. Matching is done image
by image, so an image that is drawn w times has its detections and objects w times, and nothing
is matched again: every count becomes a weighted one. Of a curve only its true positives are looked
at, since the precision at a false positive is below that of the true positive before it.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from frcnn_cli.config import VocMetric
from frcnn_cli.evaluation.metrics.average_precision import RECALL_LEVELS
from frcnn_cli.evaluation.metrics.matching import Matches, MatchOutcome
from frcnn_cli.evaluation.metrics.voc import MatchedSplit
from frcnn_cli.records import DoubleArray, IntArray

Weights = npt.NDArray[np.int32]

RESAMPLES = 1000
CONFIDENCE = 0.95
BLOCK = 1 << 24
"""Numbers held at a time: of large splits the resamples are done in several goes."""


@dataclass(frozen=True, slots=True)
class Interval:
    """95 % confidence interval of a number, over other sets of as many images of the kind."""

    low: float
    high: float

    @property
    def excludes_zero(self) -> bool:
        """Whether a difference with this interval is more than the choice of images."""
        return self.low > 0 or self.high < 0


def draw_weights(images: int, resamples: int = RESAMPLES, seed: int = 0) -> Weights:
    """Returns how often each image is drawn, (images, resamples); a column sums to N.

    Args:
        images: how many there are.
        resamples: how often as many are drawn.
        seed: of the draws.
    """
    generator = np.random.default_rng(seed)
    share = np.full(images, 1 / images)
    return generator.multinomial(images, share, size=resamples).T.astype(np.int32, order="C")


def bootstrap_aps(split: MatchedSplit, metric: VocMetric, weights: Weights) -> DoubleArray:
    """Returns the AP in 0..1 of each class in each resample, (K, resamples).

    It is NaN where a resample has no object of the class.

    Args:
        split: the matched split.
        metric: the rule of AP.
        weights: (images, resamples) from `draw_weights`.
    """
    objects = split.objects
    aps = np.full((len(split.classes), weights.shape[1]), np.nan)
    for label, matches in enumerate(split.matches, start=1):
        wanted = objects.image[(objects.labels == label) & ~objects.difficult]
        if len(wanted):
            step = max(1, BLOCK // max(len(matches.detections), len(wanted)))
            for start in range(0, weights.shape[1], step):
                part = slice(start, start + step)
                aps[label - 1, part] = _class_aps(
                    split, matches, wanted, np.ascontiguousarray(weights[:, part]), metric
                )
    return aps


def bootstrap_maps(aps: DoubleArray) -> DoubleArray:
    """Returns the mAP of each resample, (resamples,), from the `aps` (K, resamples).

    A class without objects in a resample is left out of its mean, as everywhere.
    """
    known = ~np.isnan(aps)
    count = known.sum(axis=0)
    total = np.where(known, aps, 0).sum(axis=0)
    return np.where(count > 0, total / np.maximum(count, 1), np.nan)


def interval(values: DoubleArray, estimate: float | None) -> Interval | None:
    """Returns the interval about `estimate` from its `values` (resamples,), or None without any.

    It is the middle 95 % of the resamples, moved as a whole so that their mean is the estimate.
    Precision made monotone favours small samples, and a resample holds fewer different images
    than the split: its mAP is too high on average, and the interval as it stands covers too seldom
    (docs/log.md).
    """
    known = values[~np.isnan(values)]
    if estimate is None or not len(known):
        return None
    tail = 100 * (1 - CONFIDENCE) / 2
    low, high = np.percentile(known, (tail, 100 - tail)) - (known.mean() - estimate)
    return Interval(float(low), float(high))


def share_interval(values: DoubleArray, estimate: float | None) -> Interval | None:
    """Returns `interval` of an AP or a mAP, in 0..1 as its `values` (resamples,) are."""
    found = interval(values, estimate)
    return found and Interval(max(found.low, 0.0), min(found.high, 1.0))


def _class_aps(
    split: MatchedSplit, matches: Matches, wanted: IntArray, weights: Weights, metric: VocMetric
) -> DoubleArray:
    """Returns the AP of one class in each resample of `weights` (images, B)."""
    counts = matches.outcomes != MatchOutcome.IGNORED
    hit = matches.outcomes[counts] == MatchOutcome.TRUE_POSITIVE
    if not hit.any():
        return np.where(weights[wanted].sum(axis=0) > 0, 0.0, np.nan)
    total = weights[wanted].sum(axis=0, dtype=np.int64)  # (B,) objects
    drawn = weights[split.detections.image[matches.detections[counts]]]  # (D, B)
    found = drawn[hit]  # (T, B)
    # The detections up to and with each true positive: those from the last one on are summed.
    ends = np.flatnonzero(hit) + 1
    starts = np.append(0, ends[:-1])
    reported = np.add.reduceat(drawn[: ends[-1]], starts, axis=0).cumsum(axis=0)
    hits = found.cumsum(axis=0)
    precision = hits / np.maximum(reported, 1)
    best = np.maximum.accumulate(precision[::-1], axis=0)[::-1]
    with np.errstate(invalid="ignore", divide="ignore"):
        if metric == "voc10":
            return np.asarray((found * best).sum(axis=0) / total, np.float64)
        recall = hits / total
    best = np.vstack((best, np.zeros(best.shape[1])))
    columns = np.arange(best.shape[1])
    aps = np.mean([best[(recall < level).sum(axis=0), columns] for level in RECALL_LEVELS], axis=0)
    return np.where(total > 0, aps, np.nan)
