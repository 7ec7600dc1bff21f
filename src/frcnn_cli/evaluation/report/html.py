"""The pages of a report: one HTML file each, with style, drawings and pictures inside it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
from jinja2 import Environment
from markupsafe import Markup

from frcnn_cli.evaluation.analysis import Analysis
from frcnn_cli.evaluation.analysis.bootstrap import Interval
from frcnn_cli.evaluation.analysis.calibration import reliability
from frcnn_cli.evaluation.analysis.comparison import Comparison, share, signed
from frcnn_cli.evaluation.analysis.error_types import FalseNegativeType
from frcnn_cli.evaluation.report import charts
from frcnn_cli.evaluation.report.galleries import FALSE_NEGATIVES, FALSE_POSITIVES, Gallery
from frcnn_cli.evaluation.report.thumbnails import DETECTED, TRUTH
from frcnn_cli.plotting.pages import templates_of
from frcnn_cli.plotting.palette import BLUE, GREEN, RED, VIOLET, as_hex
from frcnn_cli.records import SIZES, IntArray

MAX_CLASSES = 30
"""Classes in the confusion matrix: of more, those that are confused most."""
MAX_CONFUSIONS = 8
BINS = 20
"""Bins of the score histogram."""

_COLOURS: Mapping[str, str] = {
    name: as_hex(colour)
    for name, colour in {
        "blue": BLUE,
        "red": RED,
        "green": GREEN,
        "violet": VIOLET,
        "truth": TRUTH,
        "detected": DETECTED,
    }.items()
}


@dataclass(frozen=True, slots=True)
class About:
    """Subject of a report.

    Attributes:
        title: the data and the split.
        facts: name and value of what is known beside the figures, such as the checkpoint.
        rules: sentences that describe the scoring.
        command: what was run.
    """

    title: str
    facts: Sequence[tuple[str, str]]
    rules: Sequence[str]
    command: str


def render_report(
    analysis: Analysis, about: About, galleries: tuple[Sequence[Gallery], Sequence[Gallery]]
) -> str:
    """Returns the HTML page of one detector.

    Args:
        analysis: of the detector.
        about: the data, the detector and the rules.
        galleries: pictures of missed objects and of false positives, one per type that has some.
    """

    def order(row: tuple[Any, ...]) -> tuple[bool, float]:
        ap = row[0].ap(analysis.metric)
        return ap is None, -(ap or 0.0)

    missed = analysis.split.objects.labels[analysis.false_negatives.objects]
    wrong = analysis.split.detections.labels[analysis.false_positives.detections]
    counts = [np.bincount(each, minlength=len(analysis.confusion))[1:] for each in (missed, wrong)]
    rows = zip(analysis.evaluation.classes, analysis.ap_intervals, *counts, strict=True)
    return _render(
        "report.html.j2",
        about=about,
        name="mAP",
        value=analysis.map,
        interval=analysis.map_interval,
        analysis=analysis,
        classes=sorted(rows, key=order),
        histogram=_histogram(analysis),
        reliability=reliability(analysis.split),
        sizes=list(zip(analysis.sizes, analysis.sizes_total, strict=True)),
        confusion=analysis.confusion.tolist(),
        shown=most_confused_classes(analysis.confusion),
        worst=worst_confusions(analysis.confusion),
        miss_galleries=galleries[0],
        false_positive_galleries=galleries[1],
        unexplained=_unexplained(analysis),
    )


def render_comparison(comparison: Comparison, about: About, names: tuple[str, str]) -> str:
    """Returns the HTML page of a comparison of two detectors.

    Args:
        comparison: of B with A.
        about: the data and the rules.
        names: of A and of B.
    """
    known = [each for each in comparison.classes if each.difference is not None]
    return _render(
        "comparison.html.j2",
        about=about,
        name="mAP of B − A",
        value=comparison.difference,
        interval=comparison.interval,
        analysis=comparison.a,
        comparison=comparison,
        names=names,
        classes=sorted(known, key=lambda each: -(each.difference or 0.0)),
        reach=_reach(0.02, [comparison.interval]),
        widest=_reach(0.05, [each.interval for each in known]),
    )


def most_confused_classes(confusion: IntArray, limit: int = MAX_CLASSES) -> list[int]:
    """Returns the labels to show of a matrix (K + 1, K + 1), at most `limit`, and 0 last."""
    between = confusion[1:, 1:]
    confused = between.sum(axis=0) + between.sum(axis=1) - 2 * np.diag(between)
    return [*np.sort(1 + np.argsort(-confused, kind="stable")[:limit]).tolist(), 0]


def worst_confusions(confusion: IntArray, limit: int = MAX_CONFUSIONS) -> list[tuple[int, int]]:
    """Returns the most frequent (true label, label of the detection), at most `limit`.

    Args:
        confusion: (K + 1, K + 1), row and column 0 of which do not count.
        limit: of the pairs.
    """
    table = confusion.copy()
    table[0], table[:, 0] = 0, 0
    np.fill_diagonal(table, 0)
    order = np.argsort(-table, axis=None, kind="stable")[:limit]
    pairs = [divmod(int(each), len(table)) for each in order]
    return [pair for pair in pairs if table[pair]]


def _histogram(analysis: Analysis) -> Markup:
    scores, is_right = analysis.split.counted()
    # Other tools may score otherwise than from 0 to 1.
    low, high = float(scores.min(initial=0)), float(scores.max(initial=1))
    edges = np.linspace(low, high, BINS + 1)
    right, wrong = (
        np.histogram(mine, edges)[0].tolist() for mine in (scores[is_right], scores[~is_right])
    )
    return charts.score_histogram(edges, right, wrong, analysis.operating_point.score)


def _unexplained(analysis: Analysis) -> str:
    unknown = analysis.false_negative_types.get(FalseNegativeType.UNDETECTED)
    if unknown is None or not (unknown.total or unknown.at_operating_point):
        return ""
    if analysis.evidence is None:
        return (
            "A file of detections does not show what came before them. Run the detector with "
            "frcnn eval to see which objects had no proposal, were suppressed or scored too low."
        )
    return "For some images it is not known what came before the detections."


def _reach(smallest: float, intervals: Sequence[Interval | None]) -> float:
    """Returns where the scale of differences with these intervals ends."""
    ends = [abs(end) for each in intervals if each for end in (each.low, each.high)]
    return 1.05 * max(smallest, *ends, 0.0)


def _render(template: str, **values: Any) -> str:
    return _environment().get_template(template).render(**values)


@lru_cache(maxsize=1)
def _environment() -> Environment:
    environment = templates_of("frcnn_cli.evaluation.report")
    environment.filters |= {
        "share": share,
        "signed": signed,
        "count": lambda value: f"{value:,}",
        "steps": lambda value: f"{value:+,}".replace("-", "−") if value else "0",
        "percent": lambda value: f"{100 * value:.1f}%",
    }
    environment.globals |= {
        "colours": _COLOURS,
        "pr_chart": charts.precision_recall,
        "reliability_chart": charts.reliability_curve,
        "false_negative_words": FALSE_NEGATIVES,
        "false_positive_words": FALSE_POSITIVES,
        "size_words": {
            name: f"below {high**0.5:.0f}² px" if np.isfinite(high) else f"from {low**0.5:.0f}² px"
            for name, (low, high) in SIZES.items()
        },
    }
    return environment
