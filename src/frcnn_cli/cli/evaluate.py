"""`frcnn eval`: the mAP of a detector, or of any tool's detections."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Annotated

import typer
from rich.text import Text

from frcnn_cli.cli import options
from frcnn_cli.cli.console import Terminal
from frcnn_cli.config import DetectConfig, DetectionFormat, EvalConfig, Metric, ProposalConfig

_CONFIG = EvalConfig()

EXAMPLES = """[bold]Examples[/]

[cyan]frcnn eval[/]  [dim]the newest detector on the split test of this folder's data[/]

[cyan]frcnn eval data/ --detections boxes.json --out report.json[/]  [dim]any tool's boxes[/]

[cyan]frcnn eval data/ --detections results/ --explain[/]  [dim]why another tool's mAP differs[/]
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
            help="voc07 (11 points), voc10 (area under the curve) or coco.",
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
    explain: Annotated[
        bool,
        typer.Option("--explain", metavar="", help="Show what other conventions make of the mAP."),
    ] = False,
    out: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Write the report as JSON.", show_default=False),
    ] = None,
    export: Annotated[
        Path | None,
        typer.Option(
            metavar="PATH", help="Write the detections for other tools.", show_default=False
        ),
    ] = None,
    export_format: Annotated[
        DetectionFormat,
        typer.Option(
            metavar="NAME",
            help="Of --export: frcnn or coco (a file), voc or yolo (a new folder).",
        ),
    ] = "frcnn",
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
        from frcnn_cli.cli.evaluation_tables import as_tables
        from frcnn_cli.evaluation.formats.choose import require_target
        from frcnn_cli.evaluation.report import to_json
        from frcnn_cli.pipelines.evaluate import evaluate_detector, evaluate_file, plot_curves
        from frcnn_cli.pipelines.export import export_detections, write_text

        if export is not None:
            require_target(export_format, export)
        settings = options.Settings.load(config)
        rules = settings.apply("eval", _CONFIG, metric=metric)
        cache = Cache(cache_dir)
        if detections is not None:
            run = evaluate_file(data, split, detections, cache, rules, explained=explain)
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
                    explained=explain,
                    progress=report,
                )
        terminal.say(Text(f"{run.dataset}\nscored {scored} on split {split}", "dim"))
        result = to_json(run.evaluation, rules.metric, run.coco, run.explanation)
        terminal.result(result, as_tables(run, rules.metric))
        if out is not None:
            write_text(out, json.dumps(result, indent=1) + "\n")
        if plot is not None:
            plot_curves(run.evaluation, "voc10" if rules.metric == "coco" else rules.metric, plot)
        if export is not None:
            export_detections(run, export, export_format, source=scored)
        terminal.finish(list(run.failures), succeeded=run.evaluation.images)
