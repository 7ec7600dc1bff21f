"""Analysis of a detector's errors: the report of a split beside its curves and its mAP."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import TypeVar

from frcnn_cli.config import VocMetric
from frcnn_cli.evaluation.analysis.bootstrap import (
    RESAMPLES,
    bootstrap_aps,
    bootstrap_maps,
    draw_weights,
    share_interval,
)
from frcnn_cli.evaluation.analysis.confusion import confusion_matrix
from frcnn_cli.evaluation.analysis.counterfactual import (
    map_without_false_negatives,
    map_without_false_positives,
)
from frcnn_cli.evaluation.analysis.error_types import (
    Evidence,
    FalseNegatives,
    FalseNegativeType,
    FalsePositiveType,
    find_false_negatives,
    find_false_positives,
)
from frcnn_cli.evaluation.analysis.operating_point import best_operating_point, from_score
from frcnn_cli.evaluation.analysis.sizes import recall_by_size
from frcnn_cli.evaluation.metrics.voc import MatchedSplit, score
from frcnn_cli.records import IntArray

TypeT = TypeVar("TypeT", FalsePositiveType, FalseNegativeType)


@dataclass(frozen=True, slots=True)
class ErrorCounts:
    """Number of errors of one type, and their cost.

    Attributes:
        at_operating_point: count at the operating point.
        total: count among all detections.
        fixed_map: the mAP in 0..1 if this type alone, among all detections, were fixed.
    """

    at_operating_point: int
    total: int
    fixed_map: float


class Analysis:
    """Analysis of a detector's errors on a split.

    Args:
        split: the matched split.
        metric: the rule of AP.
        evidence: what came before the detections; without it some misses have no reason.
        resamples: of the images, for the intervals.

    Attributes:
        evaluation: curves and APs of all detections.
        metric: the rule of every mAP here.
        split: the matched split.
        operating_point: the score of the best F1.
        map_interval: of the mAP.
        ap_intervals: one per class; None where no resample has an object.
        resampled_aps: (K, resamples), AP of each class in each resample, NaN without objects.
        false_positives: those at the operating point.
        false_negatives: objects not found at the operating point.
        evidence: what came before the detections, where it is known.
        false_positive_types: every type of false positive.
        false_negative_types: every type of missed object that this evidence can tell apart.
        sizes: recall by size at the operating point.
        sizes_total: recall by size of all detections.
        confusion: (K + 1, K + 1) at the operating point; see `confusion_matrix`.

    Raises:
        DataError: no class has an object, so that there is no mean.
    """

    def __init__(
        self,
        split: MatchedSplit,
        metric: VocMetric,
        evidence: Evidence | None = None,
        resamples: int = RESAMPLES,
    ) -> None:
        self.split, self.metric = split, metric
        self.evaluation = score(split)
        weights = draw_weights(self.evaluation.images, resamples)
        self.resampled_aps = bootstrap_aps(split, metric, weights)
        self.map_interval = share_interval(bootstrap_maps(self.resampled_aps), self.map)
        self.ap_intervals = tuple(
            share_interval(values, each.ap(metric))
            for values, each in zip(self.resampled_aps, self.evaluation.classes, strict=True)
        )
        self.operating_point = best_operating_point(split)
        there = from_score(split, self.operating_point.score)
        self.evidence = evidence and replace(evidence, score_threshold=self.operating_point.score)
        self.false_positives = wrong = find_false_positives(there)
        self.false_negatives = missed = find_false_negatives(there, wrong, self.evidence)
        all_wrong = find_false_positives(split)
        all_missed = find_false_negatives(split, all_wrong, evidence)
        self.false_positive_types = _costs(
            FalsePositiveType,
            wrong.types,
            all_wrong.types,
            lambda each: map_without_false_positives(split, all_wrong, each, metric),
        )
        self.false_negative_types = _costs(
            _known_types(missed, all_missed, evidence),
            missed.types,
            all_missed.types,
            lambda each: map_without_false_negatives(
                split, all_missed.objects[all_missed.types == each], metric
            ),
        )
        self.sizes, self.sizes_total = recall_by_size(there), recall_by_size(split)
        self.confusion = confusion_matrix(there, wrong)

    @property
    def map(self) -> float:
        """The mAP in 0..1."""
        return self.evaluation.mean_ap(self.metric)

    def false_positives_of(self, label: int) -> dict[FalsePositiveType, int]:
        """Returns the false positives of label 1..K at the operating point, by type."""
        mine = self.split.detections.labels[self.false_positives.detections] == label
        return _count(self.false_positive_types, self.false_positives.types[mine])

    def false_negatives_of(self, label: int) -> dict[FalseNegativeType, int]:
        """Returns the objects of label 1..K missed at the operating point, by type."""
        mine = self.split.objects.labels[self.false_negatives.objects] == label
        return _count(self.false_negative_types, self.false_negatives.types[mine])


def _count(types: Iterable[TypeT], found: IntArray) -> dict[TypeT, int]:
    return {each: int((found == each).sum()) for each in types}


def _costs(
    types: Iterable[TypeT], used: IntArray, total: IntArray, fixed_map: Callable[[TypeT], float]
) -> Mapping[TypeT, ErrorCounts]:
    """Returns the counts of each type among `used` (F,) and `total` (F',), and its cost."""
    types = list(types)
    counts = zip(_count(types, used).values(), _count(types, total).values(), strict=True)
    rows = zip(types, counts, strict=True)
    return MappingProxyType({each: ErrorCounts(*pair, fixed_map(each)) for each, pair in rows})


def _known_types(
    used: FalseNegatives, total: FalseNegatives, evidence: Evidence | None
) -> list[FalseNegativeType]:
    """Returns the types that the evidence can tell apart, and those that occur."""
    known = set(FalseNegativeType) - {FalseNegativeType.UNDETECTED}
    if evidence is None:
        known = {FalseNegativeType.CONFUSED, FalseNegativeType.LOCALISATION}
        known.add(FalseNegativeType.UNDETECTED)
    return sorted(known | {FalseNegativeType(int(each)) for each in (*used.types, *total.types)})
