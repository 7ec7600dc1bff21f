"""Display of `frcnn eval`: tables of the classes, of other conventions, and of two detectors."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from rich import box
from rich.console import Group, RenderableType
from rich.table import Column, Table
from rich.text import Text

from frcnn_cli.cli.text import MOST_ROWS, count, from_score, table
from frcnn_cli.config import VocMetric
from frcnn_cli.evaluation.analysis.bootstrap import Interval
from frcnn_cli.evaluation.analysis.comparison import Comparison, share, signed
from frcnn_cli.evaluation.explain import Explanation
from frcnn_cli.evaluation.metrics.coco import CocoEvaluation
from frcnn_cli.evaluation.run import EvaluationRun
from frcnn_cli.records import SIZES

_VOC_COLUMNS: dict[VocMetric, str] = {"voc07": "AP 11-point", "voc10": "AP area"}
_COCO_COLUMNS = {"ap": "AP", "ap50": "AP50", "ap75": "AP75", "ar_100": "AR"}
_BAR = 20


def as_tables(run: EvaluationRun) -> RenderableType:
    """Returns the table of a run's classes, and its explanation if there is one."""
    parts: list[RenderableType]
    metric = run.job.rules.metric
    if metric == "coco":
        assert run.coco is not None
        parts = [_coco_table(run, run.coco), _coco_summary(run.coco)]
    else:
        parts = [_voc_table(run, metric)]
    if run.trained_on:
        parts.append(
            Text.assemble(
                ("! ", "bold magenta"),
                f"{run.trained_on:,} of {count(run.evaluation.images, 'image')} were trained on: "
                "new images will score lower",
            )
        )
    if run.threshold is not None:
        parts.append(Text(f"  confident {from_score(run.threshold)}"))
    if run.explanation is not None:
        parts.append(_explanation_table(run.explanation, run.evaluation.iou))
    return Group(*parts)


def _voc_table(run: EvaluationRun, metric: VocMetric) -> Table:
    evaluation = run.evaluation
    figures = {
        name: (evaluation.mean_ap(rule), [each.ap(rule) for each in evaluation.classes])
        for rule, name in _VOC_COLUMNS.items()
    }
    return _class_table(run, f"IoU ≥ {evaluation.iou:g}", figures, _VOC_COLUMNS[metric])


def _coco_table(run: EvaluationRun, coco: CocoEvaluation) -> Table:
    figures = {
        name: (coco.summary[key], [getattr(each, key) for each in coco.classes])
        for key, name in _COCO_COLUMNS.items()
    }
    return _class_table(run, "COCO's rules", figures, "AP")


def _class_table(
    run: EvaluationRun,
    rules: str,
    figures: Mapping[str, tuple[float | None, Sequence[float | None]]],
    main: str,
) -> Table:
    """Returns a row for each class, with a bar for the figure `main`.

    Args:
        run: the classes and how many objects they have.
        rules: the metric's, in words.
        figures: heading → the mean, and the figure of each class.
        main: heading of the metric that was asked for.
    """
    classes = run.evaluation.classes
    columns = {"class": "mean", "objects": f"{sum(each.objects for each in classes):,}"}
    columns |= {"difficult": "", **{name: share(mean) for name, (mean, _) in figures.items()}}
    styles = {name: "bold" if name == main else "dim" for name in ("difficult", *figures)}
    caption = f"{rules}; {run.evaluation.images:,} images"
    if (more := len(classes) - MOST_ROWS) > 0:
        caption += f"; {more:,} more classes are in --out"
    shown = table(columns, caption=caption, styles=styles)
    shown.add_column("")
    for place, each in enumerate(classes[:MOST_ROWS]):
        numbers = [share(values[place]) for _, values in figures.values()]
        bar = _bar(figures[main][1][place])
        shown.add_row(Text(each.name), f"{each.objects:,}", f"{each.difficult:,}", *numbers, bar)
    return shown


def _coco_summary(coco: CocoEvaluation) -> Table:
    caps = ", ".join(share(coco.summary[f"ar_{cap}"]) for cap in (1, 10, 100))
    shown = table(
        dict.fromkeys(("size of the object", *SIZES), ""),
        caption=f"AR with 1, 10 and 100 detections of a class per image: {caps}",
    )
    for key in ("ap", "ar"):
        shown.add_row(key.upper(), *(share(coco.summary[f"{key}_{size}"]) for size in SIZES))
    return shown


def _explanation_table(explanation: Explanation, iou: float) -> Table:
    shown = Table(
        *("convention", "instead"),
        *(Column(name, justify="right") for name in ("mAP", "difference")),
        box=box.SIMPLE_HEAD,
        title="The mAP under other conventions, one changed at a time",
        title_justify="left",
        title_style="bold",
    )
    start = f"{explanation.curve}, VOC rules, IoU ≥ {iou:g}"
    shown.add_row(Text("as it is", "bold"), Text(start), f"[bold]{explanation.map:.4f}[/]", "")
    for each in explanation.variations:
        change = Text(signed(each.difference, 4), _coloured(round(each.difference, 4)))
        shown.add_row(Text(each.convention), Text(each.value), f"{each.map:.4f}", change)
    return shown


def _coloured(value: float) -> str:
    """Returns the style of a difference: green for more, red for less."""
    return "green" if value > 0 else "red" if value < 0 else "dim"


def _bar(ap: float | None) -> Text:
    if ap is None:
        return Text("no objects, left out of the mean", "dim")
    return Text("█" * round(_BAR * ap), "cyan")


def comparison_table(comparison: Comparison) -> RenderableType:
    """Returns the classes with A, B and B - A, the mAP below them, and the verdict."""
    a, b = comparison.a, comparison.b
    objects = sum(each.objects for each in comparison.classes)
    shown = table(
        {
            "class": "mean",
            "objects": f"{objects:,}",
            "AP A": share(a.map),
            "AP B": share(b.map),
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
            share(each.a),
            share(each.b),
            _difference(each.difference, each.interval),
            _interval(each.interval),
        )
    return Group(shown, Text(comparison.verdict, "bold"))


def _difference(value: float | None, interval: Interval | None) -> Text:
    """Returns a difference, coloured where its interval excludes 0."""
    if value is None:
        return Text("–", "dim")
    clear = interval is not None and interval.excludes_zero
    return Text(signed(value), _coloured(value if clear else 0))


def _interval(interval: Interval | None) -> Text:
    if interval is None:
        return Text("–", "dim")
    return Text(f"{signed(interval.low)} to {signed(interval.high)}", "dim")
