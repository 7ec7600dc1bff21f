"""What the pages say, as plain values, and their rendering.

The values are made by a pipeline; nothing here knows how they were measured. A page is one file:
style, drawings and pictures are inside it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined

from frcnn_cli.evaluation.report import charts
from frcnn_cli.evaluation.report.charts import Curve, Histogram
from frcnn_cli.evaluation.report.thumbnails import DETECTED, TRUTH, Picture
from frcnn_cli.plotting.palette import BLUE, GREEN, RED, VIOLET, Colour

MOST_CLASSES = 30
"""Classes in the confusion matrix: of more, those that are confused most."""


@dataclass(frozen=True, slots=True)
class Headline:
    """What stands above everything.

    Attributes:
        title: the data and the split.
        name: of the number, such as "mAP".
        value: in 0..1, or a difference.
        low: lower end of its 95 % interval, or None where there is none.
        high: upper end.
        numbers: name and value, in order.
        facts: likewise, of what may be long.
        rules: sentences that say how was scored.
        command: what was run.
    """

    title: str
    name: str
    value: float
    low: float | None
    high: float | None
    numbers: Sequence[tuple[str, str]]
    facts: Sequence[tuple[str, str]]
    rules: Sequence[str]
    command: str


@dataclass(frozen=True, slots=True)
class ClassRow:
    """One class: AP in 0..1 with its interval, None where the split has none to find."""

    name: str
    ap: float | None
    low: float | None
    high: float | None
    objects: int
    difficult: int
    found: int
    false_alarms: int
    detections: int


@dataclass(frozen=True, slots=True)
class KindRow:
    """One kind of mistake: counts at the working point and in all, and what mending it gives."""

    name: str
    meaning: str
    at_work: int
    in_all: int
    gain: float


@dataclass(frozen=True, slots=True)
class SizeRow:
    """Objects of one size, and the recall in 0..1 at the working point and of all detections."""

    name: str
    meaning: str
    objects: int
    at_work: float | None
    in_all: float | None


@dataclass(frozen=True, slots=True)
class Gallery:
    """Pictures of one kind of mistake, out of `count` mistakes."""

    name: str
    meaning: str
    count: int
    pictures: Sequence[Picture]


@dataclass(frozen=True, slots=True)
class ReportPage:
    """Everything that the report of one detector says.

    Attributes:
        headline: the mAP and what it was measured on.
        working_score: detections below it count as not reported where the page says "in use".
        classes: in falling AP.
        curves: one a class with objects, in the same order.
        misses: kinds of missed objects.
        alarms: kinds of false alarms.
        confusion: names of rows and columns, "nothing" first, and the counts.
        scores: of right and wrong detections.
        sizes: smallest first.
        miss_galleries: one a kind that has pictures.
        alarm_galleries: likewise.
        unexplained: why some misses have no reason, or "".
    """

    headline: Headline
    working_score: float
    classes: Sequence[ClassRow]
    curves: Sequence[Curve]
    misses: Sequence[KindRow]
    alarms: Sequence[KindRow]
    confusion: tuple[Sequence[str], Sequence[Sequence[int]]]
    scores: Histogram
    sizes: Sequence[SizeRow]
    miss_galleries: Sequence[Gallery]
    alarm_galleries: Sequence[Gallery]
    unexplained: str


@dataclass(frozen=True, slots=True)
class DifferenceRow:
    """One class of two detectors: APs and B - A with its interval; None without objects."""

    name: str
    objects: int
    a: float | None
    b: float | None
    difference: float | None
    low: float | None
    high: float | None


@dataclass(frozen=True, slots=True)
class KindPair:
    """One kind of mistake of two detectors, counted at the working point of each."""

    name: str
    a: int
    b: int


@dataclass(frozen=True, slots=True)
class ComparisonPage:
    """Everything that the comparison of two detectors says; B is held against A.

    Attributes:
        headline: the difference.
        verdict: what it means, in a sentence.
        a: name of A.
        b: name of B.
        map_a: mAP of A in 0..1.
        map_b: mAP of B in 0..1.
        classes: in falling difference.
        misses: missed objects by kind.
        alarms: false alarms by kind.
    """

    headline: Headline
    verdict: str
    a: str
    b: str
    map_a: float
    map_b: float
    classes: Sequence[DifferenceRow]
    misses: Sequence[KindPair]
    alarms: Sequence[KindPair]

    @property
    def reach(self) -> float:
        """Where the scale of the headline's difference ends."""
        return _reach(0.02, [self.headline])

    @property
    def widest(self) -> float:
        """Where the scale of the classes' differences ends."""
        return _reach(0.05, self.classes)


def _reach(least: float, rows: Sequence[DifferenceRow | Headline]) -> float:
    ends = [abs(end) for row in rows for end in (row.low, row.high) if end is not None]
    return 1.05 * max(least, *ends, 0.0)


def render_report(page: ReportPage) -> str:
    """Returns the HTML of a report."""
    names, counts = page.confusion
    return _render(
        "report.html.j2",
        page=page,
        matrix=charts.confusion_cells(names, counts, MOST_CLASSES),
        worst_confusions=charts.worst_confusions(names, counts),
    )


def render_comparison(page: ComparisonPage) -> str:
    """Returns the HTML of a comparison."""
    return _render("comparison.html.j2", page=page)


def _render(template: str, **values: Any) -> str:
    return _environment().get_template(template).render(**values, colours=_COLOURS)


@lru_cache(maxsize=1)
def _environment() -> Environment:
    environment = Environment(
        loader=PackageLoader("frcnn_cli.evaluation.report"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {"share": _share, "signed": _signed, "count": _count, "steps": _steps}
    environment.globals |= {
        "pr_chart": charts.precision_recall,
        "score_chart": charts.score_histogram,
        "interval_chart": charts.interval_strip,
        "difference_chart": charts.difference_strip,
    }
    return environment


def _share(value: float | None) -> str:
    """Returns a fraction with three digits, a dash where there is none."""
    return "–" if value is None else f"{value:.3f}"


def _signed(value: float | None) -> str:
    """Returns a difference with its sign; zero has none."""
    if value is None:
        return "–"
    text = f"{value:+.3f}".replace("-", "−")
    return "0.000" if float(f"{value:.3f}") == 0 else text


def _count(value: int) -> str:
    return f"{value:,}"


def _steps(value: int) -> str:
    """Returns a difference of counts with its sign."""
    return f"{value:+,}".replace("-", "−") if value else "0"


def _css(colour: Colour) -> str:
    return "#{:02x}{:02x}{:02x}".format(*colour)


_COLOURS: Mapping[str, str] = {
    "blue": _css(BLUE),
    "red": _css(RED),
    "green": _css(GREEN),
    "violet": _css(VIOLET),
    "truth": _css(TRUTH),
    "detected": _css(DETECTED),
}
