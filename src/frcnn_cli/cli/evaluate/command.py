"""`frcnn eval`: the mAP of a detector, or of any tool's detections."""

from __future__ import annotations

import logging
import shlex
import sys
from collections.abc import Callable, Sequence
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
    from frcnn_cli.cache.store import Cache
    from frcnn_cli.detection.detector import LoadedDetector
    from frcnn_cli.evaluation.run import EvaluationRun

_LOGGER = logging.getLogger(__name__)

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
        compare: Compare B with A: files of detections, checkpoints or runs.
        plot: Draw the precision-recall curves.
        calibrate: Write the detector with its scores calibrated on these images, which it was not
            trained on, and the threshold of their best F1.
    """
    with context.terminal() as terminal:
        from frcnn_cli.cli.evaluate.tables import as_tables
        from frcnn_cli.detection.choice import choose_checkpoint
        from frcnn_cli.detection.detector import LoadedDetector
        from frcnn_cli.detection.formats.registry import check_target
        from frcnn_cli.evaluation.export import (
            calibrate_checkpoint,
            export_detections,
            plot_curves,
        )
        from frcnn_cli.evaluation.report.build import require_report_folder
        from frcnn_cli.evaluation.report.to_json import to_json
        from frcnn_cli.evaluation.run import evaluate_detector, evaluate_file
        from frcnn_cli.runtime.device import pick_device

        if export is not None:
            check_target(export_format, export)
        if report is not None:
            require_report_folder(report)
        settings = context.settings()
        rules = settings.apply("eval", EvalConfig(), metric=metric)
        cache = context.cache
        detect = settings.apply(
            "detect", DetectConfig(), vote=vote, score_threshold=rules.score_threshold
        )
        if calibrate is not None and (detections is not None or not detect.vote):
            raise typer.BadParameter("--calibrate is for the scores of a detector that votes")

        def load(file: Path) -> LoadedDetector:
            speed = settings.apply("speed", SpeedConfig())
            return LoadedDetector.load(file, pick_device(gpus), speed)

        def score(detector: LoadedDetector, file: Path) -> EvaluationRun:
            terminal.if_interrupted = "the detections so far are kept; the same command continues"
            with terminal.progress() as progress:
                return evaluate_detector(
                    data,
                    split,
                    detector if calibrate is None else detector.uncalibrated(),
                    cache,
                    proposals=settings.apply("proposals", ProposalConfig(), tiles=tiles),
                    detect=detect,
                    config=rules,
                    explained=explain,
                    checkpoint=file,
                    held_out=calibrate is not None,
                    progress=progress,
                )

        if compare is not None:
            _refuse_with_compare(checkpoint, run, detections, explain, export, plot, calibrate)
            runs, names = _scored_pair(data, split, compare, cache, rules, load=load, score=score)
            _compare(terminal, runs, names, data=data, rules=rules, report=report, out=out)
            return
        if detections is not None:
            found = evaluate_file(data, split, detections, cache, rules, explained=explain)
            scored = f"{detections} ({found.format})"
        else:
            chosen = choose_checkpoint(checkpoint, cache, run)
            found, scored = score(load(chosen.file), chosen.file), chosen.words
        terminal.say(Text(f"{found.dataset}\nscored {scored} on split {found.split}", "dim"))
        result = {
            **to_json(
                found.evaluation, rules.metric, found.coco, found.explanation, found.threshold
            ),
            "scored": scored,
            "split": found.split,
            "trained_on": found.trained_on,
        }
        _print_result(terminal, result, as_tables(found, rules.metric), out)
        if plot is not None:
            plot_curves(found.evaluation, "voc10" if rules.metric == "coco" else rules.metric, plot)
        if report is not None:
            _report(terminal, report, found, rules, title=data.resolve().name, scored=scored)
        if calibrate is not None:
            threshold = calibrate_checkpoint(found, chosen.file, calibrate).threshold
            terminal.say(
                Text(
                    f"calibrated detector in {calibrate}; confident {from_score(threshold)}", "dim"
                )
            )
        if export is not None:
            export_detections(found, export, export_format, source=scored)
        terminal.finish(list(found.failures), succeeded=found.evaluation.images)


def _report(
    terminal: Terminal,
    folder: Path,
    run: EvaluationRun,
    rules: EvalConfig,
    *,
    title: str,
    scored: str,
) -> None:
    from frcnn_cli.evaluation.report.build import PAGE, write_report

    command = _command()
    with terminal.progress("types") as progress:
        write_report(
            folder, run, rules, title=title, scored=scored, command=command, progress=progress
        )
    terminal.say(Text(f"report in {folder / PAGE}", "dim"))


def _refuse_with_compare(*others: object) -> None:
    if any(others):
        raise typer.BadParameter(
            "--compare names what it scores: combine it with --split, --metric, --report or --out, "
            "not with --checkpoint, --run, --detections, --explain, --export or --plot"
        )


def _scored_pair(
    data: Path,
    split: str | None,
    wanted: tuple[Path, Path],
    cache: Cache,
    rules: EvalConfig,
    *,
    load: Callable[[Path], LoadedDetector],
    score: Callable[[LoadedDetector, Path], EvaluationRun],
) -> tuple[list[EvaluationRun], list[str]]:
    """Scores the two values of --compare, and returns what to call them.

    Args:
        data: folder of the data set.
        split: the images to score.
        wanted: files of detections, or checkpoints.
        cache: where runs and splits are.
        rules: how they are scored.
        load: reads a checkpoint.
        score: scores a detector, and the file that it is from.
    """
    from frcnn_cli.detection.choice import find_checkpoint
    from frcnn_cli.evaluation.run import evaluate_file

    chosen = [find_checkpoint(each, cache) for each in wanted]
    loaded = [None if each is None else (load(each.file), each.file) for each in chosen]
    classes = next((each[0].info.classes for each in loaded if each is not None), None)
    runs = [
        evaluate_file(data, split, file, cache, rules, classes=classes)
        if each is None
        else score(*each)
        for file, each in zip(wanted, loaded, strict=True)
    ]
    pairs = zip(wanted, chosen, strict=True)
    return runs, [str(file) if each is None else each.words for file, each in pairs]


def _compare(
    terminal: Terminal,
    runs: Sequence[EvaluationRun],
    names: Sequence[str],
    *,
    data: Path,
    rules: EvalConfig,
    report: Path | None,
    out: Path | None,
) -> None:
    from frcnn_cli.cli.evaluate.tables import comparison_table
    from frcnn_cli.evaluation.report.build import PAGE, compare_runs, write_comparison
    from frcnn_cli.evaluation.report.to_json import comparison_to_json

    a, b = runs
    comparison = compare_runs(a, b, rules.metric)
    for name, each in zip("AB", runs, strict=True):
        if each.trained_on:
            _LOGGER.warning("%s was trained on %d of the images", name, each.trained_on)
    shown = f"{b.dataset}\nA {names[0]}\nB {names[1]}\non split {b.split}"
    terminal.say(Text(shown, "dim"))
    _print_result(terminal, comparison_to_json(comparison), comparison_table(comparison), out)
    if report is not None:
        title, command, called = data.resolve().name, _command(), (names[0], names[1])
        write_comparison(report, comparison, b, rules, title=title, names=called, command=command)
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
