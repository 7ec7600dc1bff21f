"""Where a detector fails: everything that is told of a split beside its curves and its mAP."""

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
    map_without_false_alarms,
    map_without_misses,
)
from frcnn_cli.evaluation.analysis.error_types import (
    Evidence,
    FalseAlarm,
    FalseAlarms,
    Miss,
    Misses,
    find_false_alarms,
    find_misses,
)
from frcnn_cli.evaluation.analysis.operating_point import (
    WorkingPoint,
    best_working_point,
    from_score,
)
from frcnn_cli.evaluation.analysis.sizes import SizeResult, recall_by_size
from frcnn_cli.evaluation.metrics.voc import Evaluation, MatchedSplit, score
from frcnn_cli.records import IntArray


@dataclass(frozen=True, slots=True)
class Kind:
    """How often one kind of mistake was made, and what it costs.

    Attributes:
        at_work: count at the working point.
        in_all: count among all detections.
        mended_map: the mAP in 0..1 if this kind alone, among all detections, were mended.
    """

    at_work: int
    in_all: int
    mended_map: float


@dataclass(frozen=True, slots=True)
class Analysis:
    """Where a detector fails.

    Attributes:
        evaluation: curves and APs of all detections.
        metric: the rule of every mAP here.
        split: the matched split.
        at_work: the split, cut at the working point.
        working_point: the score of the best F1.
        map_interval: of the mAP.
        ap_intervals: one a class; None where no resample has an object.
        resampled_aps: (K, resamples), AP of each class in each resample, NaN without objects.
        alarms: false positives at the working point.
        misses: objects not found at the working point.
        evidence: what came before the detections, where it is known.
        alarm_kinds: every kind of false positive.
        miss_kinds: every kind of miss that can be told apart with this evidence.
        sizes: recall by size at the working point.
        sizes_in_all: recall by size of all detections.
        confusion: (K + 1, K + 1) at the working point; see `confusion_matrix`.
    """

    evaluation: Evaluation
    metric: VocMetric
    split: MatchedSplit
    at_work: MatchedSplit
    working_point: WorkingPoint
    map_interval: Interval | None
    ap_intervals: tuple[Interval | None, ...]
    resampled_aps: Values
    alarms: FalseAlarms
    misses: Misses
    evidence: Evidence | None
    alarm_kinds: Mapping[FalseAlarm, Kind]
    miss_kinds: Mapping[Miss, Kind]
    sizes: tuple[SizeResult, ...]
    sizes_in_all: tuple[SizeResult, ...]
    confusion: IntArray

    @property
    def map(self) -> float:
        """The mAP in 0..1."""
        return self.evaluation.mean_ap(self.metric)


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
        resamples: of the photographs, for the intervals.
        seed: of the resamples.

    Raises:
        DataError: no class has an object, so that there is no mean.
    """
    evaluation = score(split)
    weights = draw_weights(len(split.objects.image_ids), resamples, seed)
    aps = bootstrap_aps(split, metric, weights)
    point = best_working_point(split)
    at_work = from_score(split, point.score)
    alarms, all_alarms = find_false_alarms(at_work), find_false_alarms(split)
    at_work_evidence = replace(evidence, score_threshold=point.score) if evidence else None
    misses = find_misses(at_work, alarms, at_work_evidence)
    all_misses = find_misses(split, all_alarms, evidence)
    return Analysis(
        evaluation=evaluation,
        metric=metric,
        split=split,
        at_work=at_work,
        working_point=point,
        map_interval=share_interval(bootstrap_maps(aps), evaluation.mean_ap(metric)),
        ap_intervals=tuple(
            share_interval(values, each.ap(metric))
            for values, each in zip(aps, evaluation.classes, strict=True)
        ),
        resampled_aps=aps,
        alarms=alarms,
        misses=misses,
        evidence=at_work_evidence,
        alarm_kinds=_alarm_kinds(split, alarms, all_alarms, metric),
        miss_kinds=_miss_kinds(split, misses, all_misses, metric, evidence is not None),
        sizes=recall_by_size(at_work),
        sizes_in_all=recall_by_size(split),
        confusion=confusion_matrix(at_work, alarms),
    )


def misses_by_class(analysis: Analysis) -> list[dict[Miss, int]]:
    """Returns for each class how many of its objects the detector in use missed, by kind."""
    labels = analysis.split.objects.labels[analysis.misses.objects]
    return [
        {
            kind: int(((labels == label) & (analysis.misses.kinds == kind)).sum())
            for kind in analysis.miss_kinds
        }
        for label in range(1, len(analysis.split.classes) + 1)
    ]


def false_alarms_by_class(analysis: Analysis) -> list[dict[FalseAlarm, int]]:
    """Returns for each class its false alarms at the working point, by kind."""
    labels = analysis.split.detections.labels[analysis.alarms.detections]
    return [
        {
            kind: int(((labels == label) & (analysis.alarms.kinds == kind)).sum())
            for kind in analysis.alarm_kinds
        }
        for label in range(1, len(analysis.split.classes) + 1)
    ]


def _alarm_kinds(
    split: MatchedSplit, at_work: FalseAlarms, in_all: FalseAlarms, metric: VocMetric
) -> Mapping[FalseAlarm, Kind]:
    return MappingProxyType(
        {
            kind: Kind(
                int((at_work.kinds == kind).sum()),
                int((in_all.kinds == kind).sum()),
                map_without_false_alarms(split, in_all, kind, metric),
            )
            for kind in FalseAlarm
        }
    )


def _miss_kinds(
    split: MatchedSplit, at_work: Misses, in_all: Misses, metric: VocMetric, has_evidence: bool
) -> Mapping[Miss, Kind]:
    known = set(Miss) - {Miss.UNDETECTED} if has_evidence else _WITHOUT_EVIDENCE
    seen = {Miss(int(kind)) for kind in np.union1d(at_work.kinds, in_all.kinds)}
    kinds = {}
    for kind in sorted(known | seen):
        mine = Misses(in_all.objects[in_all.kinds == kind], in_all.kinds[in_all.kinds == kind])
        kinds[kind] = Kind(
            int((at_work.kinds == kind).sum()),
            len(mine.objects),
            map_without_misses(split, mine, metric),
        )
    return MappingProxyType(kinds)


_WITHOUT_EVIDENCE = {Miss.CONFUSED, Miss.LOCALISATION, Miss.UNDETECTED}
