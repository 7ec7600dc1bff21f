"""Display of `frcnn eval --compare`: two detectors side by side."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich import box
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from frcnn_cli.cli.evaluate.tables import coloured, number, signed

if TYPE_CHECKING:
    from frcnn_cli.evaluation.analysis.bootstrap import Interval
    from frcnn_cli.evaluation.analysis.comparison import Comparison


def as_table(comparison: Comparison) -> RenderableType:
    """Returns the classes with A, B and B - A, the mAP below them, and the verdict."""
    a, b = comparison.a, comparison.b
    table = Table(
        box=box.SIMPLE_HEAD,
        caption=f"{a.metric}, IoU ≥ {a.split.iou:g}; {a.evaluation.images:,} images",
        caption_justify="left",
        show_footer=True,
    )
    objects = sum(each.objects for each in comparison.classes)
    table.add_column("class", footer="mean")
    table.add_column("objects", footer=f"{objects:,}", justify="right", style="dim")
    table.add_column("AP A", footer=f"{a.map:.3f}", justify="right")
    table.add_column("AP B", footer=f"{b.map:.3f}", justify="right")
    footer = _difference(comparison.difference, comparison.interval)
    table.add_column("B − A", footer=footer, justify="right")
    table.add_column("95 % interval", footer=_interval(comparison.interval), justify="right")
    for each in comparison.classes:
        table.add_row(
            Text(each.name),
            f"{each.objects:,}",
            number(each.a),
            number(each.b),
            _difference(each.difference, each.interval),
            _interval(each.interval),
        )
    return Group(table, Text(comparison.verdict, "bold"))


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
