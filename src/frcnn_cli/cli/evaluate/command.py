"""`frcnn eval`: the mAP of a detector, or of any tool's detections."""

from __future__ import annotations

import json
import shlex
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import RenderableType
from rich.text import Text

from frcnn_cli.cli import options
from frcnn_cli.cli.options import argument, option, switch
from frcnn_cli.cli.terminal import Terminal
from frcnn_cli.config import (
    DetectConfig,
    DetectionFormat,
    EvalConfig,
    Metric,
    ProposalConfig,
    SpeedConfig,
)

if TYPE_CHECKING:
    from frcnn_cli.cache.store import Cache

EXAMPLES = """[bold]Examples[/]

[cyan]frcnn eval[/]  [dim]the newest detector on split test of this folder[/]

[cyan]frcnn eval data/ --detections boxes.json --out report.json[/]  [dim]any tool's boxes[/]

[cyan]frcnn eval data/ --detections results/ --explain[/]  [dim]why another tool's mAP differs[/]

[cyan]frcnn eval data/ --report report/[/]  [dim]a page of missed objects and false positives[/]

[cyan]frcnn eval data/ --compare old.json new.json[/]  [dim]is the new one better?[/]
"""


@options.command()
def evaluate(
    context: options.CommandContext,
    data: Annotated[Path, argument("DATA")] = Path(),
    *,
    checkpoint: options.Checkpoint = None,
    split: Annotated[str, option("NAME")] = "test",
    metric: Annotated[Metric | None, options.flag(EvalConfig, "metric")] = None,
    detections: Annotated[Path | None, option("PATH")] = None,
    explain: Annotated[bool, switch("--explain")] = False,
    out: Annotated[Path | None, option("FILE")] = None,
    export: Annotated[Path | None, option("PATH")] = None,
    export_format: Annotated[DetectionFormat, option("NAME")] = "frcnn",
    report: Annotated[Path | None, option("DIR")] = None,
    compare: Annotated[tuple[Path, Path] | None, option("A B")] = None,
    plot: Annotated[Path | None, option("FILE.png")] = None,
    calibrate: Annotated[Path | None, option("FILE")] = None,
    vote: Annotated[float | None, options.flag(DetectConfig, "vote")] = None,
    tiles: Annotated[int | None, options.flag(ProposalConfig, "tiles")] = None,
    gpus: options.Gpus = None,
) -> None:
    """Score a detector on annotated images: average precision by class, and their mean.

    Args:
        data: Folder of the data set.
        split: Split to score.
        detections: Score these: boxes.json, COCO results, or a folder of VOC or YOLO text.
        explain: Show the mAP under other conventions.
        out: Write the report as JSON.
        export: Write the detections for other tools.
        export_format: For --export: frcnn or coco (a file), voc or yolo (a new folder).
        report: Write an HTML page that shows where the detector fails.
        compare: Compare detections B with A.
        plot: Draw the precision-recall curves.
        calibrate: Write the detector with its scores calibrated on these images, which it was not
            trained on, and the threshold of their best F1.
    """
    with context.terminal() as terminal:
        from frcnn_cli.cache.store import Cache
        from frcnn_cli.cli.evaluate.tables import as_tables
        from frcnn_cli.cli.text import from_score
        from frcnn_cli.detection.detector import LoadedDetector, choose_checkpoint
        from frcnn_cli.detection.formats.registry import check_target
        from frcnn_cli.evaluation.export import export_detections
        from frcnn_cli.evaluation.report.build import PAGE, require_report_folder, write_report
        from frcnn_cli.evaluation.report.to_json import to_json
        from frcnn_cli.evaluation.run import (
            calibrate_checkpoint,
            evaluate_detector,
            evaluate_file,
            plot_curves,
        )
        from frcnn_cli.runtime.device import pick_device

        if export is not None:
            check_target(export_format, export)
        if report is not None:
            require_report_folder(report)
        settings = context.settings()
        rules = settings.apply("eval", EvalConfig(), metric=metric)
        cache = Cache(context.cache_dir)
        if compare is not None:
            _refuse_with_compare(checkpoint, detections, explain, export, plot)
            _compare(
                terminal, data, split, compare, cache=cache, rules=rules, report=report, out=out
            )
            return
        detect = settings.apply(
            "detect", DetectConfig(), vote=vote, score_threshold=rules.score_threshold
        )
        if calibrate is not None and (detections is not None or not detect.vote):
            raise typer.BadParameter("--calibrate is for the scores of a detector that votes")
        if detections is not None:
            run = evaluate_file(data, split, detections, cache, rules, explained=explain)
            scored = f"{detections} ({run.format})"
        else:
            chosen = choose_checkpoint(checkpoint, cache)
            detector = LoadedDetector.load(
                chosen, pick_device(gpus), settings.apply("speed", SpeedConfig())
            )
            terminal.if_interrupted = "the detections so far are kept; the same command continues"
            with terminal.progress() as progress:
                run = evaluate_detector(
                    data,
                    split,
                    detector if calibrate is None else detector.uncalibrated(),
                    cache,
                    proposals=settings.apply("proposals", ProposalConfig(), tiles=tiles),
                    detect=detect,
                    config=rules,
                    explained=explain,
                    checkpoint=chosen,
                    held_out=calibrate is not None,
                    progress=progress,
                )
            scored = str(chosen)
        terminal.say(Text(f"{run.dataset}\nscored {scored} on split {split}", "dim"))
        result = to_json(run.evaluation, rules.metric, run.coco, run.explanation, run.threshold)
        _print_result(terminal, result, as_tables(run, rules.metric), out)
        if plot is not None:
            plot_curves(run.evaluation, "voc10" if rules.metric == "coco" else rules.metric, plot)
        if report is not None:
            with terminal.progress("types") as progress:
                write_report(
                    report,
                    run,
                    rules,
                    title=data.resolve().name,
                    scored=scored,
                    command=_command(),
                    progress=progress,
                )
            terminal.say(Text(f"report in {report / PAGE}", "dim"))
        if calibrate is not None:
            threshold = calibrate_checkpoint(run, chosen, calibrate).threshold
            terminal.say(
                Text(
                    f"calibrated detector in {calibrate}; confident {from_score(threshold)}", "dim"
                )
            )
        if export is not None:
            export_detections(run, export, export_format, source=scored)
        terminal.finish(list(run.failures), succeeded=run.evaluation.images)


def _refuse_with_compare(*others: object) -> None:
    if any(others):
        raise typer.BadParameter(
            "--compare scores two files of detections; combine it with --split, --metric, --report "
            "and --out, not with --checkpoint, --detections, --explain, --export or --plot"
        )


def _compare(
    terminal: Terminal,
    data: Path,
    split: str,
    files: tuple[Path, Path],
    *,
    cache: Cache,
    rules: EvalConfig,
    report: Path | None,
    out: Path | None,
) -> None:
    from frcnn_cli.cli.evaluate.tables import comparison_table
    from frcnn_cli.evaluation.report.build import PAGE, compare_files, write_comparison
    from frcnn_cli.evaluation.report.to_json import comparison_to_json

    comparison, run = compare_files(data, split, files, cache, rules)
    names = str(files[0]), str(files[1])
    terminal.say(Text(f"{run.dataset}\nA {names[0]}\nB {names[1]}\non split {split}", "dim"))
    _print_result(terminal, comparison_to_json(comparison), comparison_table(comparison), out)
    if report is not None:
        title, command = data.resolve().name, _command()
        write_comparison(report, comparison, run, rules, title=title, names=names, command=command)
        terminal.say(Text(f"report in {report / PAGE}", "dim"))
    terminal.finish(list(run.failures), succeeded=run.evaluation.images)


def _print_result(
    terminal: Terminal, result: dict[str, Any], shown: RenderableType, out: Path | None
) -> None:
    from frcnn_cli.files import write_file

    terminal.result(result, shown, is_table=True)
    if out is not None:
        write_file(out, json.dumps(result, indent=1) + "\n")


def _command() -> str:
    """Returns the command line, as it could be typed again."""
    return shlex.join([Path(sys.argv[0]).name, *sys.argv[1:]])
