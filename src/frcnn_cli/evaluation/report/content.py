"""What was measured → what the pages of a report say."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar

import numpy as np

from frcnn_cli.evaluation.analysis import (
    Analysis,
    Kind,
    false_alarms_by_class,
    misses_by_class,
)
from frcnn_cli.evaluation.analysis.bootstrap import Interval
from frcnn_cli.evaluation.analysis.comparison import Comparison
from frcnn_cli.evaluation.analysis.error_types import FalseAlarm, Miss
from frcnn_cli.evaluation.analysis.sizes import SIZES
from frcnn_cli.evaluation.metrics.matching import Outcome
from frcnn_cli.evaluation.report.charts import Curve, Histogram
from frcnn_cli.evaluation.report.galleries import FALSE_ALARMS, MISSES
from frcnn_cli.evaluation.report.html import (
    ClassRow,
    ComparisonPage,
    DifferenceRow,
    Gallery,
    Headline,
    KindPair,
    KindRow,
    ReportPage,
    SizeRow,
)

KindT = TypeVar("KindT", Miss, FalseAlarm)

BINS = 20
"""Bins of the score histogram."""


@dataclass(frozen=True, slots=True)
class About:
    """What a report is about.

    Attributes:
        title: the data and the split.
        facts: name and value of what is known beside the figures, such as the checkpoint.
        rules: sentences that say how was scored.
        command: what was run.
    """

    title: str
    facts: Sequence[tuple[str, str]]
    rules: Sequence[str]
    command: str


def report_page(
    analysis: Analysis, about: About, galleries: tuple[Sequence[Gallery], Sequence[Gallery]]
) -> ReportPage:
    """Returns what the report of one detector says."""
    point = analysis.working_point
    numbers = (
        ("Photographs", f"{analysis.evaluation.images:,}"),
        ("Objects", f"{sum(each.objects for each in analysis.evaluation.classes):,}"),
        ("Difficult objects", f"{int(analysis.split.objects.difficult.sum()):,}"),
        ("In use from score", f"{point.score:.3f}"),
        ("Precision in use", f"{point.precision:.3f}"),
        ("Recall in use", f"{point.recall:.3f}"),
    )
    shown = [each for each in analysis.evaluation.classes if each.objects]
    falling = sorted(shown, key=lambda each: -(each.ap(analysis.metric) or 0.0))
    return ReportPage(
        headline=_headline(about, "mAP", analysis.map, analysis.map_interval, numbers),
        working_score=point.score,
        classes=_class_rows(analysis),
        curves=[
            Curve(
                each.name,
                each.ap(analysis.metric) or 0.0,
                each.precision,
                each.recall,
                int((each.scores >= np.float32(point.score)).sum()) - 1,
            )
            for each in falling
        ],
        misses=_kind_rows(analysis.miss_kinds, MISSES, analysis.map),
        alarms=_kind_rows(analysis.alarm_kinds, FALSE_ALARMS, analysis.map),
        confusion=(["nothing", *analysis.split.classes], analysis.confusion.tolist()),
        scores=_histogram(analysis),
        sizes=_size_rows(analysis),
        miss_galleries=galleries[0],
        alarm_galleries=galleries[1],
        unexplained=_unexplained(analysis),
    )


def comparison_page(comparison: Comparison, about: About, a: str, b: str) -> ComparisonPage:
    """Returns what the comparison of detectors named `a` and `b` says."""
    first, second = comparison.a, comparison.b
    numbers = (
        ("Photographs", f"{first.evaluation.images:,}"),
        ("Objects", f"{sum(each.objects for each in first.evaluation.classes):,}"),
    )
    rows = [
        DifferenceRow(
            each.name, each.objects, each.a, each.b, each.difference, *_ends(each.interval)
        )
        for each in comparison.classes
        if each.difference is not None
    ]
    return ComparisonPage(
        headline=_headline(
            about, "mAP of B − A", comparison.difference, comparison.interval, numbers
        ),
        verdict=comparison.verdict,
        a=a,
        b=b,
        map_a=first.map,
        map_b=second.map,
        classes=sorted(rows, key=lambda row: -(row.difference or 0.0)),
        misses=_kind_pairs(first.miss_kinds, second.miss_kinds, MISSES),
        alarms=_kind_pairs(first.alarm_kinds, second.alarm_kinds, FALSE_ALARMS),
    )


def _headline(
    about: About,
    name: str,
    value: float,
    interval: Interval | None,
    numbers: Sequence[tuple[str, str]],
) -> Headline:
    return Headline(
        about.title, name, value, *_ends(interval), numbers, about.facts, about.rules, about.command
    )


def _class_rows(analysis: Analysis) -> list[ClassRow]:
    false = [sum(kinds.values()) for kinds in false_alarms_by_class(analysis)]
    missed = [sum(kinds.values()) for kinds in misses_by_class(analysis)]
    rows = [
        ClassRow(
            each.name,
            each.ap(analysis.metric),
            *_ends(analysis.ap_intervals[i]),
            objects=each.objects,
            difficult=each.difficult,
            found=each.objects - missed[i],
            false_alarms=false[i],
            detections=each.detections,
        )
        for i, each in enumerate(analysis.evaluation.classes)
    ]
    return sorted(rows, key=lambda row: (row.ap is None, -(row.ap or 0.0)))


def _kind_rows(
    kinds: Mapping[KindT, Kind], words: Mapping[KindT, tuple[str, str]], before: float
) -> list[KindRow]:
    return [
        KindRow(*words[kind], each.at_work, each.in_all, each.mended_map - before)
        for kind, each in kinds.items()
    ]


def _kind_pairs(
    a: Mapping[KindT, Kind], b: Mapping[KindT, Kind], words: Mapping[KindT, tuple[str, str]]
) -> list[KindPair]:
    return [
        KindPair(
            words[kind][0],
            a[kind].at_work if kind in a else 0,
            b[kind].at_work if kind in b else 0,
        )
        for kind in words
        if kind in a or kind in b
    ]


def _size_rows(analysis: Analysis) -> list[SizeRow]:
    words = {
        name: f"below {np.sqrt(too_large):.0f}² px"
        if np.isfinite(too_large)
        else f"from {np.sqrt(least):.0f}² px"
        for name, least, too_large in SIZES
    }
    return [
        SizeRow(used.name, words[used.name], used.objects, used.recall, in_all.recall)
        for used, in_all in zip(analysis.sizes, analysis.sizes_in_all, strict=True)
    ]


def _histogram(analysis: Analysis) -> Histogram:
    matches = analysis.split.matches
    outcomes = np.concatenate([each.outcomes for each in matches])
    scores = analysis.split.detections.scores[np.concatenate([each.detections for each in matches])]
    # Other tools may score otherwise than from 0 to 1.
    low = min(0.0, float(scores.min(initial=0)))
    high = max(1.0, float(scores.max(initial=1)))
    edges = np.linspace(low, high, BINS + 1)
    right, _ = np.histogram(scores[outcomes == Outcome.TRUE_POSITIVE], edges)
    wrong, _ = np.histogram(scores[outcomes == Outcome.FALSE_POSITIVE], edges)
    return Histogram(edges.tolist(), right.tolist(), wrong.tolist(), analysis.working_point.score)


def _unexplained(analysis: Analysis) -> str:
    unknown = analysis.miss_kinds.get(Miss.UNDETECTED)
    if unknown is None or (not unknown.in_all and not unknown.at_work):
        return ""
    if analysis.evidence is None:
        return (
            "A file of detections does not tell what came before them. Run the detector with "
            "frcnn eval to see which objects had no proposal, were suppressed or scored too low."
        )
    return "Of some photographs it is not known what came before the detections."


def _ends(interval: Interval | None) -> tuple[float | None, float | None]:
    return (None, None) if interval is None else (interval.low, interval.high)
