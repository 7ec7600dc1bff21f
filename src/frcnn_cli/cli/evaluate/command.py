"""`frcnn eval`: the mAP of a detector, or of any tool's detections."""

from __future__ import annotations

import logging
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
from frcnn_cli.cli.text import from_score
from frcnn_cli.config import DetectConfig, DetectionFormat, EvalConfig, Metric, ProposalConfig

if TYPE_CHECKING:
    from frcnn_cli.evaluation.run import EvaluationRun

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
    from frcnn_cli.cli.evaluate.scorer import Scorer
    from frcnn_cli.detection.choice import choose_checkpoint
    from frcnn_cli.detection.formats.registry import check_target
    from frcnn_cli.evaluation.export import calibrate_checkpoint, export_detections, plot_curves
    from frcnn_cli.evaluation.report.build import PAGE, require_report_folder, write_report
    from frcnn_cli.evaluation.run import EvaluationJob, evaluate_file

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
    scorer = Scorer(terminal, job, settings, detect, tiles, gpus, calibrate is not None)
    if compare is not None:
        _print_comparison(terminal, scorer.score_pair(compare), report, out)
        return
    if detections is not None:
        found = evaluate_file(job, detections)
    else:
        chosen = choose_checkpoint(checkpoint, context.cache, run)
        found = scorer.score(scorer.load(chosen), chosen)
    _print_run(terminal, found, out)
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


def _print_run(terminal: Terminal, run: EvaluationRun, out: Path | None) -> None:
    from frcnn_cli.cli.evaluate.tables import as_tables
    from frcnn_cli.evaluation.report.to_json import to_json

    terminal.say(Text(f"{run.dataset}\nscored {run.scored} on split {run.split}", "dim"))
    metric = run.job.rules.metric
    result = {
        **to_json(run.evaluation, metric, run.coco, run.explanation, run.threshold),
        "scored": run.scored,
        "split": run.split,
        "trained_on": run.trained_on,
    }
    _print_result(terminal, result, as_tables(run), out)


def _print_comparison(
    terminal: Terminal,
    runs: tuple[EvaluationRun, EvaluationRun],
    report: Path | None,
    out: Path | None,
) -> None:
    from frcnn_cli.cli.evaluate.tables import comparison_table
    from frcnn_cli.evaluation.report.build import PAGE, compare_runs, write_comparison
    from frcnn_cli.evaluation.report.to_json import comparison_to_json

    a, b = runs
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
