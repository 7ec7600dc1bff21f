"""Display of `frcnn eval`: tables of the classes and of other conventions."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from rich import box
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from frcnn_cli.config import Metric, VocMetric

if TYPE_CHECKING:
    from frcnn_cli.evaluation.explain import Explanation
    from frcnn_cli.evaluation.metrics.coco import CocoEvaluation
    from frcnn_cli.evaluation.run import EvaluationRun

_VOC_COLUMNS: dict[VocMetric, str] = {"voc07": "AP 11-point", "voc10": "AP area"}
_BAR = 20


def as_tables(run: EvaluationRun, metric: Metric) -> RenderableType:
    """Returns the table of a run's classes, and its explanation if there is one."""
    if metric == "coco":
        assert run.coco is not None
        parts = [_coco_table(run, run.coco), _coco_summary(run.coco)]
    else:
        parts = [_voc_table(run, metric)]
    if run.explanation is not None:
        parts.append(_explanation_table(run.explanation, run.evaluation.iou))
    return Group(*parts)


def _voc_table(run: EvaluationRun, metric: VocMetric) -> Table:
    evaluation = run.evaluation
    caption = f"IoU ≥ {evaluation.iou:g}; {evaluation.images:,} images"
    table = _class_table(run, caption)
    for rule, name in _VOC_COLUMNS.items():
        _add_number(table, name, evaluation.mean_ap(rule), bold=rule == metric)
    table.add_column("")
    for each, cells in zip(evaluation.classes, _class_cells(run), strict=True):
        numbers = (number(each.voc07), number(each.voc10))
        table.add_row(*cells, *numbers, _bar(each.ap(metric)))
    return table


def _coco_table(run: EvaluationRun, coco: CocoEvaluation) -> Table:
    table = _class_table(run, f"COCO's rules; {run.evaluation.images:,} images")
    for key, name in {"ap": "AP", "ap50": "AP50", "ap75": "AP75", "ar_100": "AR"}.items():
        _add_number(table, name, coco.summary[key], bold=key == "ap")
    table.add_column("")
    for each, cells in zip(coco.classes, _class_cells(run), strict=True):
        numbers = (number(value) for value in (each.ap, each.ap50, each.ap75, each.ar_100))
        table.add_row(*cells, *numbers, _bar(each.ap))
    return table


def _coco_summary(coco: CocoEvaluation) -> Table:
    caps = ", ".join(number(coco.summary[f"ar_{cap}"]) for cap in (1, 10, 100))
    caption = f"AR with 1, 10 and 100 detections of a class per image: {caps}"
    table = Table(box=box.SIMPLE_HEAD, caption=caption, caption_justify="left")
    table.add_column("size of the object")
    for name in ("small", "medium", "large"):
        table.add_column(name, justify="right")
    for key, name in {"ap": "AP", "ar": "AR"}.items():
        sizes = (coco.summary[f"{key}_{size}"] for size in ("small", "medium", "large"))
        table.add_row(name, *map(number, sizes))
    return table


def _explanation_table(explanation: Explanation, iou: float) -> Table:
    table = Table(
        box=box.SIMPLE_HEAD,
        title="The mAP under other conventions, one changed at a time",
        title_justify="left",
        title_style="bold",
    )
    table.add_column("convention")
    table.add_column("instead")
    table.add_column("mAP", justify="right")
    table.add_column("difference", justify="right")
    start = f"{explanation.curve}, VOC rules, IoU ≥ {iou:g}"
    table.add_row(Text("as it is", "bold"), Text(start), f"[bold]{explanation.map:.4f}[/]", "")
    for each in explanation.variations:
        change = Text(
            signed(each.difference, "+.4f", zero="0"), coloured(round(each.difference, 4))
        )
        table.add_row(Text(each.convention), Text(each.value), f"{each.map:.4f}", change)
    return table


def _class_table(run: EvaluationRun, caption: str) -> Table:
    table = Table(box=box.SIMPLE_HEAD, caption_justify="left", caption=caption, show_footer=True)
    objects = sum(each.objects for each in run.evaluation.classes)
    table.add_column("class", footer="mean")
    table.add_column("objects", footer=f"{objects:,}", justify="right")
    table.add_column("difficult", justify="right", style="dim")
    return table


def _class_cells(run: EvaluationRun) -> Iterator[tuple[Text, str, str]]:
    for each in run.evaluation.classes:
        yield Text(each.name), f"{each.objects:,}", f"{each.difficult:,}"


def _add_number(table: Table, name: str, mean: float | None, *, bold: bool) -> None:
    style = "bold" if bold else "dim"
    table.add_column(name, footer=number(mean), justify="right", style=style, footer_style=style)


def number(value: float | None) -> str:
    """Returns a fraction with three digits, a dash where there is none."""
    return "–" if value is None else f"{value:.3f}"


def signed(value: float, digits: str = "+.3f", zero: str = "0.000") -> str:
    """Returns a difference with its sign; zero has none.

    Args:
        value: the difference.
        digits: its format.
        zero: what is shown for zero.
    """
    shown = format(value, digits)
    return zero if float(shown) == 0 else shown.replace("-", "−")


def coloured(value: float) -> str:
    """Returns the style of a difference: green for more, red for less."""
    return "green" if value > 0 else "red" if value < 0 else "dim"


def _bar(ap: float | None) -> Text:
    if ap is None:
        return Text("no objects, left out of the mean", "dim")
    return Text("█" * round(_BAR * ap), "cyan")
