"""Display of `frcnn eval --compare`: two detectors side by side."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.console import Group, RenderableType
from rich.text import Text

from frcnn_cli.cli.evaluate.tables import coloured, number, signed
from frcnn_cli.cli.text import table

if TYPE_CHECKING:
    from frcnn_cli.evaluation.analysis.bootstrap import Interval
    from frcnn_cli.evaluation.analysis.comparison import Comparison


def as_table(comparison: Comparison) -> RenderableType:
    """Returns the classes with A, B and B - A, the mAP below them, and the verdict."""
    a, b = comparison.a, comparison.b
    objects = sum(each.objects for each in comparison.classes)
    shown = table(
        {
            "class": "mean",
            "objects": f"{objects:,}",
            "AP A": number(a.map),
            "AP B": number(b.map),
            "B − A": _difference(comparison.difference, comparison.interval),
            "95 % interval": _interval(comparison.interval),
        },
        caption=f"{a.metric}, IoU ≥ {a.split.iou:g}; {a.evaluation.images:,} images",
        styles={"objects": "dim"},
    )
    for each in comparison.classes:
        shown.add_row(
            Text(each.name),
            f"{each.objects:,}",
            number(each.a),
            number(each.b),
            _difference(each.difference, each.interval),
            _interval(each.interval),
        )
    return Group(shown, Text(comparison.verdict, "bold"))


def _difference(value: float | None, interval: Interval | None) -> Text:
    """Returns a difference, coloured where its interval excludes 0."""
    if value is None:
        return Text("–", "dim")
    clear = interval is not None and interval.excludes_zero
    return Text(signed(value), coloured(value if clear else 0))


def _interval(interval: Interval | None) -> Text:
    if interval is None:
        return Text("–", "dim")
    return Text(f"{signed(interval.low)} to {signed(interval.high)}", "dim")
