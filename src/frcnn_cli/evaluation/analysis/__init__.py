"""Where a detector fails: what is reported of a split beside its curves and its mAP."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType

import numpy as np

from frcnn_cli.config import VocMetric
from frcnn_cli.evaluation.analysis.bootstrap import (
    RESAMPLES,
    Interval,
    Values,
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
    FalsePositives,
    FalsePositiveType,
    find_false_negatives,
    find_false_positives,
)
from frcnn_cli.evaluation.analysis.operating_point import (
    OperatingPoint,
    best_operating_point,
    from_score,
)
from frcnn_cli.evaluation.analysis.sizes import SizeRecall, recall_by_size
from frcnn_cli.evaluation.metrics.voc import Evaluation, MatchedSplit, score
from frcnn_cli.records import IntArray


@dataclass(frozen=True, slots=True)
class ErrorCounts:
    """How often one type of error was made, and what it costs.

    Attributes:
        at_operating_point: count at the operating point.
        total: count among all detections.
        fixed_map: the mAP in 0..1 if this type alone, among all detections, were fixed.
    """

    at_operating_point: int
    total: int
    fixed_map: float


@dataclass(frozen=True, slots=True)
class Analysis:
    """Where a detector fails.

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
    """

    evaluation: Evaluation
    metric: VocMetric
    split: MatchedSplit
    operating_point: OperatingPoint
    map_interval: Interval | None
    ap_intervals: tuple[Interval | None, ...]
    resampled_aps: Values
    false_positives: FalsePositives
    false_negatives: FalseNegatives
    evidence: Evidence | None
    false_positive_types: Mapping[FalsePositiveType, ErrorCounts]
    false_negative_types: Mapping[FalseNegativeType, ErrorCounts]
    sizes: tuple[SizeRecall, ...]
    sizes_total: tuple[SizeRecall, ...]
    confusion: IntArray

    @property
    def map(self) -> float:
        """The mAP in 0..1."""
        return self.evaluation.mean_ap(self.metric)

    def false_positives_of(self, label: int) -> dict[FalsePositiveType, int]:
        """Returns the false positives of label 1..K at the operating point, by type."""
        mine = self.split.detections.labels[self.false_positives.detections] == label
        types = self.false_positives.types[mine]
        return {each: int((types == each).sum()) for each in self.false_positive_types}

    def false_negatives_of(self, label: int) -> dict[FalseNegativeType, int]:
        """Returns the objects of label 1..K missed at the operating point, by type."""
        mine = self.split.objects.labels[self.false_negatives.objects] == label
        types = self.false_negatives.types[mine]
        return {each: int((types == each).sum()) for each in self.false_negative_types}


def analyse(
    split: MatchedSplit,
    metric: VocMetric,
    evidence: Evidence | None = None,
    *,
    resamples: int = RESAMPLES,
    seed: int = 0,
) -> Analysis:
    """Finds out where a detector fails.

    Args:
        split: the matched split.
        metric: the rule of AP.
        evidence: what came before the detections; without it some misses have no reason.
        resamples: of the images, for the intervals.
        seed: of the resamples.

    Raises:
        DataError: no class has an object, so that there is no mean.
    """
    evaluation = score(split)
    aps = bootstrap_aps(split, metric, draw_weights(evaluation.images, resamples, seed))
    point = best_operating_point(split)
    there = from_score(split, point.score)
    evidence_there = replace(evidence, score_threshold=point.score) if evidence else None
    wrong, all_wrong = find_false_positives(there), find_false_positives(split)
    missed = find_false_negatives(there, wrong, evidence_there)
    all_missed = find_false_negatives(split, all_wrong, evidence)
    return Analysis(
        evaluation=evaluation,
        metric=metric,
        split=split,
        operating_point=point,
        map_interval=share_interval(bootstrap_maps(aps), evaluation.mean_ap(metric)),
        ap_intervals=tuple(
            share_interval(values, each.ap(metric))
            for values, each in zip(aps, evaluation.classes, strict=True)
        ),
        resampled_aps=aps,
        false_positives=wrong,
        false_negatives=missed,
        evidence=evidence_there,
        false_positive_types=_false_positive_types(split, wrong, all_wrong, metric),
        false_negative_types=_false_negative_types(split, missed, all_missed, metric, evidence),
        sizes=recall_by_size(there),
        sizes_total=recall_by_size(split),
        confusion=confusion_matrix(there, wrong),
    )


def _false_positive_types(
    split: MatchedSplit, used: FalsePositives, total: FalsePositives, metric: VocMetric
) -> Mapping[FalsePositiveType, ErrorCounts]:
    return MappingProxyType(
        {
            each: ErrorCounts(
                int((used.types == each).sum()),
                int((total.types == each).sum()),
                map_without_false_positives(split, total, each, metric),
            )
            for each in FalsePositiveType
        }
    )


def _false_negative_types(
    split: MatchedSplit,
    used: FalseNegatives,
    total: FalseNegatives,
    metric: VocMetric,
    evidence: Evidence | None,
) -> Mapping[FalseNegativeType, ErrorCounts]:
    """Returns the types that the evidence can tell apart, and those that occur."""
    occurring = {FalseNegativeType(int(each)) for each in np.union1d(used.types, total.types)}
    known = set(FalseNegativeType) - {FalseNegativeType.UNDETECTED}
    if evidence is None:
        known = {FalseNegativeType.CONFUSED, FalseNegativeType.LOCALISATION}
        known.add(FalseNegativeType.UNDETECTED)
    return MappingProxyType(
        {
            each: ErrorCounts(
                int((used.types == each).sum()),
                int((total.types == each).sum()),
                map_without_false_negatives(split, total.objects[total.types == each], metric),
            )
            for each in sorted(known | occurring)
        }
    )
