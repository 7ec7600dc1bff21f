"""`frcnn eval`: the VOC mAP of a detector, or of any tool's detections."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.text import Text

from frcnn_cli.cli import options
from frcnn_cli.cli.console import Terminal
from frcnn_cli.config import DetectConfig, EvalConfig, Metric, ProposalConfig

if TYPE_CHECKING:
    from rich.table import Table

    from frcnn_cli.evaluation.voc import Evaluation

_CONFIG = EvalConfig()

EXAMPLES = """[bold]Examples[/]

[cyan]frcnn eval[/]  [dim]the newest detector on the split test of this folder's data[/]

[cyan]frcnn eval data/ --detections boxes.json --out report.json[/]  [dim]any tool's boxes[/]
"""


def evaluate(
    data: Annotated[
        Path, typer.Argument(metavar="DATA", help="Folder that holds the data set.")
    ] = Path(),
    *,
    checkpoint: options.Checkpoint = None,
    split: Annotated[str, typer.Option(metavar="NAME", help="Photographs to score.")] = "test",
    metric: Annotated[
        Metric | None,
        typer.Option(
            metavar="RULE",
            help="voc07 (11 points) or voc10 (area under the curve).",
            show_default=_CONFIG.metric,
        ),
    ] = None,
    detections: Annotated[
        Path | None,
        typer.Option(
            metavar="PATH",
            help="Score these instead: boxes.json, COCO results, or a folder of VOC or YOLO text.",
            show_default=False,
        ),
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Write the report as JSON.", show_default=False),
    ] = None,
    plot: Annotated[
        Path | None,
        typer.Option(metavar="FILE.png", help="Draw precision against recall.", show_default=False),
    ] = None,
    gpus: options.Gpus = None,
    cache_dir: options.CacheDir = options.DEFAULT_CACHE,
    config: options.ConfigFile = None,
    quiet: options.Quiet = False,
    verbose: options.Verbose = False,
    as_json: options.AsJson = False,
) -> None:
    """Score a detector on annotated photographs: average precision by class, and their mean."""
    with Terminal(quiet, verbose, as_json) as terminal:
        from frcnn_cli.cache.store import Cache
        from frcnn_cli.evaluation.report import to_json
        from frcnn_cli.pipelines.evaluate import evaluate_detector, evaluate_file, plot_curves
        from frcnn_cli.pipelines.export import write_text

        settings = options.Settings.load(config)
        rules = settings.apply("eval", _CONFIG, metric=metric)
        cache = Cache(cache_dir)
        if detections is not None:
            run = evaluate_file(data, split, detections, cache, rules)
            scored = f"{detections} ({run.format})"
        else:
            from frcnn_cli.pipelines.detect import choose_checkpoint
            from frcnn_cli.pipelines.detector import Detector
            from frcnn_cli.pipelines.device import pick_device

            device = pick_device(gpus)
            chosen = choose_checkpoint(checkpoint, cache)
            scored = str(chosen)
            with terminal.progress() as report:
                run = evaluate_detector(
                    data,
                    split,
                    Detector.load(chosen, device),
                    cache,
                    proposals=settings.apply("proposals", ProposalConfig()),
                    detect=replace(settings.apply("detect", DetectConfig()), score=rules.score),
                    config=rules,
                    progress=report,
                )
        terminal.say(Text(f"{run.dataset}\nscored {scored} on split {split}", "dim"))
        result = to_json(run.evaluation, rules.metric)
        terminal.result(result, _table(run.evaluation, rules.metric))
        if out is not None:
            write_text(out, json.dumps(result, indent=1) + "\n")
        if plot is not None:
            plot_curves(run.evaluation, rules.metric, plot)
        terminal.finish(list(run.failures), succeeded=run.evaluation.images)


def _table(evaluation: Evaluation, metric: Metric) -> Table:
    from rich import box
    from rich.table import Table

    names: dict[Metric, str] = {"voc07": "11-point", "voc10": "area"}
    table = Table(
        box=box.SIMPLE_HEAD,
        caption_justify="left",
        caption=f"IoU ≥ {evaluation.iou:g}; {evaluation.images:,} photographs",
        show_footer=True,
    )
    objects = sum(each.objects for each in evaluation.classes)
    table.add_column("class", footer="mean")
    table.add_column("objects", footer=f"{objects:,}", justify="right")
    table.add_column("difficult", justify="right", style="dim")
    for rule, name in names.items():
        style = "bold" if rule == metric else "dim"
        mean = f"{evaluation.mean_ap(rule):.3f}"
        table.add_column(
            f"AP {name}", footer=mean, justify="right", style=style, footer_style=style
        )
    table.add_column("")
    for each in evaluation.classes:
        ap = each.ap(metric)
        cells = ["–" if value is None else f"{value:.3f}" for value in (each.voc07, each.voc10)]
        bar = "no objects, left out of the mean" if ap is None else "█" * round(20 * ap)
        style = "dim" if ap is None else "cyan"
        table.add_row(
            Text(each.name),
            f"{each.objects:,}",
            f"{each.difficult:,}",
            *cells,
            f"[{style}]{bar}[/]",
        )
    return table
