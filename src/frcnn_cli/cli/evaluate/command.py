"""`frcnn eval`: the mAP of a detector, or of any tool's detections."""

from __future__ import annotations

import logging
import shlex
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import RenderableType
from rich.text import Text

from frcnn_cli.cli import options
from frcnn_cli.cli.options import argument, option, switch
from frcnn_cli.cli.terminal import Terminal
from frcnn_cli.cli.text import from_score
from frcnn_cli.config import (
    DetectConfig,
    DetectionFormat,
    EvalConfig,
    Metric,
    ProposalConfig,
    SpeedConfig,
)

if TYPE_CHECKING:
    from frcnn_cli.detection.choice import ChosenCheckpoint
    from frcnn_cli.detection.detector import LoadedDetector
    from frcnn_cli.evaluation.run import EvaluationJob, EvaluationRun

_LOGGER = logging.getLogger(__name__)
_CHOICE = ("checkpoint", "run")
"""Options that name a detector."""

EXAMPLES = """[bold]Examples[/]

[cyan]frcnn eval[/]  [dim]the newest detector on split test of this folder[/]

[cyan]frcnn eval data/ --detections boxes.json --out report.json[/]  [dim]any tool's boxes[/]

[cyan]frcnn eval data/ --detections results/ --explain[/]  [dim]why another tool's mAP differs[/]

[cyan]frcnn eval data/ --report report/[/]  [dim]a page of missed objects and false positives[/]

[cyan]frcnn eval data/ --compare old.json new.json[/]  [dim]is the new one better?[/]
"""


@options.command(
    needs={"export_format": ("export",)},
    excludes={
        "compare": (*_CHOICE, "detections", "explain", "export", "plot", "calibrate"),
        "detections": (*_CHOICE, "vote", "tiles", "gpus", "calibrate"),
    },
)
def evaluate(
    context: options.CommandContext,
    data: Annotated[Path, argument("DATA")] = Path(),
    *,
    checkpoint: options.Checkpoint = None,
    run: options.Run = None,
    split: Annotated[str | None, option("NAME", default="test, else val")] = None,
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
    tiles: Annotated[int | None, options.flag(ProposalConfig, "tiles", "as in training")] = None,
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
        compare: Compare B with A: files of detections, checkpoints or runs.
        plot: Draw the precision-recall curves.
        calibrate: Write the detector with its scores calibrated on these images, which it was not
            trained on, and the threshold of their best F1.
    """
    from frcnn_cli.cli.evaluate.tables import as_tables
    from frcnn_cli.detection.choice import choose_checkpoint, proposals_for
    from frcnn_cli.detection.detector import LoadedDetector
    from frcnn_cli.detection.formats.registry import check_target
    from frcnn_cli.evaluation.export import calibrate_checkpoint, export_detections, plot_curves
    from frcnn_cli.evaluation.report.build import PAGE, require_report_folder, write_report
    from frcnn_cli.evaluation.report.to_json import to_json
    from frcnn_cli.evaluation.run import EvaluationJob, evaluate_detector, evaluate_file
    from frcnn_cli.runtime.device import pick_device

    terminal = context.terminal
    if export is not None:
        check_target(export_format, export)
    if report is not None:
        require_report_folder(report)
    settings = context.settings()
    rules = settings.apply(EvalConfig(), metric=metric)
    job = EvaluationJob(data, split, context.cache, rules, explain)
    detect = settings.apply(DetectConfig(), vote=vote, score_threshold=rules.score_threshold)
    if calibrate is not None and not detect.vote:
        raise typer.BadParameter("--calibrate is for the scores of a detector that votes")

    def load(chosen: ChosenCheckpoint) -> LoadedDetector:
        speed = settings.apply(SpeedConfig())
        return LoadedDetector.load(chosen.file, pick_device(gpus), speed)

    def score(detector: LoadedDetector, chosen: ChosenCheckpoint) -> EvaluationRun:
        terminal.if_interrupted = "the detections so far are kept; the same command continues"
        with terminal.progress() as progress:
            return evaluate_detector(
                job,
                detector if calibrate is None else detector.uncalibrated(),
                proposals_for(detector.info.tiles, settings, tiles),
                detect,
                checkpoint=chosen,
                held_out=calibrate is not None,
                progress=progress,
            )

    if compare is not None:
        _compare(context, _scored_pair(job, compare, load=load, score=score), report, out)
        return
    if detections is not None:
        found = evaluate_file(job, detections)
    else:
        chosen = choose_checkpoint(checkpoint, context.cache, run)
        found = score(load(chosen), chosen)
    terminal.say(Text(f"{found.dataset}\nscored {found.scored} on split {found.split}", "dim"))
    result = {
        **to_json(found.evaluation, rules.metric, found.coco, found.explanation, found.threshold),
        "scored": found.scored,
        "split": found.split,
        "trained_on": found.trained_on,
    }
    _print_result(terminal, result, as_tables(found), out)
    if plot is not None:
        plot_curves(found.evaluation, "voc10" if rules.metric == "coco" else rules.metric, plot)
    if report is not None:
        with terminal.progress("types") as progress:
            write_report(report, found, _command(), progress)
        terminal.say(Text(f"report in {report / PAGE}", "dim"))
    if calibrate is not None:
        threshold = calibrate_checkpoint(found, chosen.file, calibrate).threshold
        confident = f"confident {from_score(threshold)}"
        terminal.say(Text(f"calibrated detector in {calibrate}; {confident}", "dim"))
    if export is not None:
        export_detections(found, export, export_format)
    terminal.finish(list(found.failures), succeeded=found.evaluation.images)


def _scored_pair(
    job: EvaluationJob,
    wanted: tuple[Path, Path],
    *,
    load: Callable[[ChosenCheckpoint], LoadedDetector],
    score: Callable[[LoadedDetector, ChosenCheckpoint], EvaluationRun],
) -> tuple[EvaluationRun, EvaluationRun]:
    """Scores the two values of --compare.

    Args:
        job: what is scored, and how.
        wanted: files of detections, or checkpoints.
        load: reads a checkpoint.
        score: scores a detector, and the checkpoint that it is from.
    """
    from frcnn_cli.detection.choice import find_checkpoint
    from frcnn_cli.evaluation.run import evaluate_file

    chosen = [find_checkpoint(each, job.cache) for each in wanted]
    loaded = [None if each is None else (load(each), each) for each in chosen]
    classes = next((each[0].info.classes for each in loaded if each is not None), None)
    a, b = (
        evaluate_file(job, file, classes) if each is None else score(*each)
        for file, each in zip(wanted, loaded, strict=True)
    )
    return a, b


def _compare(
    context: options.CommandContext,
    runs: tuple[EvaluationRun, EvaluationRun],
    report: Path | None,
    out: Path | None,
) -> None:
    from frcnn_cli.cli.evaluate.tables import comparison_table
    from frcnn_cli.evaluation.report.build import PAGE, compare_runs, write_comparison
    from frcnn_cli.evaluation.report.to_json import comparison_to_json

    (a, b), terminal = runs, context.terminal
    comparison = compare_runs(a, b)
    for name, each in zip("AB", runs, strict=True):
        if each.trained_on:
            _LOGGER.warning("%s was trained on %d of the images", name, each.trained_on)
    shown = f"{b.dataset}\nA {a.source}\nB {b.source}\non split {b.split}"
    terminal.say(Text(shown, "dim"))
    _print_result(terminal, comparison_to_json(comparison), comparison_table(comparison), out)
    if report is not None:
        write_comparison(report, comparison, runs, _command())
        terminal.say(Text(f"report in {report / PAGE}", "dim"))
    terminal.finish(list(b.failures), succeeded=b.evaluation.images)


def _print_result(
    terminal: Terminal, result: dict[str, Any], shown: RenderableType, out: Path | None
) -> None:
    from frcnn_cli.files import write_json

    terminal.result(result, shown, is_table=True)
    if out is not None:
        write_json(out, result)


def _command() -> str:
    """Returns the command line, as it could be typed again."""
    return shlex.join([Path(sys.argv[0]).name, *sys.argv[1:]])
