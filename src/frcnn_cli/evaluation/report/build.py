"""Report folders: the evaluation of a detector, and the comparison of two."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

from frcnn_cli._version import __version__
from frcnn_cli.config import EvalConfig, Metric, VocMetric
from frcnn_cli.decoding import decode_json
from frcnn_cli.errors import ConfigError, DataError
from frcnn_cli.evaluation.analysis import Analysis
from frcnn_cli.evaluation.analysis.bootstrap import RESAMPLES
from frcnn_cli.evaluation.analysis.comparison import Comparison, compare
from frcnn_cli.evaluation.report.galleries import ErrorGalleries
from frcnn_cli.evaluation.report.html import About, render_comparison, render_report
from frcnn_cli.evaluation.report.to_json import (
    ANALYSIS,
    COMPARISON,
    analysis_to_json,
    comparison_to_json,
)
from frcnn_cli.evaluation.run import EvaluationRun
from frcnn_cli.files import write_file, write_json
from frcnn_cli.runtime.progress import Progress, silent

PAGE = "index.html"
FIGURES = "report.json"


def require_report_folder(folder: Path) -> None:
    """Refuses a `folder` whose files are not a report's, before the long work.

    Raises:
        ConfigError: it is a file, or holds an `index.html` or a `report.json` of another tool.
    """
    if folder.exists() and not folder.is_dir():
        raise ConfigError("is not a folder", remedy="name a folder with --report", file=folder)
    if not (folder / PAGE).exists() and not (folder / FIGURES).exists():
        return
    try:
        schema = decode_json((folder / FIGURES).read_bytes(), dict[str, Any]).get("schema")
    except (OSError, ValueError):
        schema = None
    if schema not in (ANALYSIS, COMPARISON):
        raise ConfigError(
            f"holds a {PAGE} or {FIGURES} that is not a report of frcnn",
            remedy="name another folder with --report",
            file=folder,
        )


def analyse_run(run: EvaluationRun) -> Analysis:
    """Finds out where a detector fails; for COCO by the area rule, at the IoU of the run."""
    return Analysis(run.matched, _voc(run.job.rules.metric), run.evidence)


def write_report(
    folder: Path, run: EvaluationRun, command: str, progress: Progress = silent
) -> dict[str, Any]:
    """Writes `index.html`, a page that needs nothing else, and `report.json` into `folder`.

    Args:
        folder: made if need be.
        run: what was scored.
        command: what was run.
        progress: called as pictures are drawn.

    Returns:
        What `report.json` holds.

    Raises:
        ConfigError: the folder cannot be written to.
    """
    analysis = analyse_run(run)
    galleries = ErrorGalleries(analysis, run.samples).galleries(progress)
    facts = [("Detections" if run.format else "Checkpoint", run.scored)]
    if run.format:
        facts.append(("Format", run.format))
    if run.trained_on is not None:
        facts.append(("Trained on", f"{run.trained_on:,} of these images"))
    if run.coco is not None:
        facts.append(("COCO AP", f"{run.coco.mean_ap:.3f}"))
    result = analysis_to_json(analysis)
    about = _about(run, facts, command)
    _write(folder, result, render_report(analysis, about, galleries))
    return result


def compare_runs(a: EvaluationRun, b: EvaluationRun) -> Comparison:
    """Compares `b` with `a`, which scored the same split; for COCO by the area rule.

    Raises:
        DataError: they have other classes, or not the same images can be used.
    """
    if a.matched.classes != b.matched.classes:
        raise DataError(
            "A and B do not have the same classes in the same order",
            remedy="compare detectors of the same data",
        )
    if a.matched.objects.image_ids != b.matched.objects.image_ids:
        raise DataError(
            f"A has {len(a.samples):,} and B {len(b.samples):,} images that can be used",
            remedy="repair or remove those that are listed as failed",
        )
    return compare(analyse_run(a), analyse_run(b))


def write_comparison(
    folder: Path, comparison: Comparison, runs: tuple[EvaluationRun, EvaluationRun], command: str
) -> None:
    """Writes a comparison as `index.html` and `report.json` into `folder`.

    Args:
        folder: made if need be.
        comparison: of B with A.
        runs: how A and B scored.
        command: what was run.

    Raises:
        ConfigError: the folder cannot be written to.
    """
    a, b = runs
    about = _about(b, [], command, compared=True)
    page = render_comparison(comparison, about, (a.source, b.source))
    _write(folder, comparison_to_json(comparison), page)


def rules_in_words(config: EvalConfig, *, compared: bool = False) -> list[str]:
    """Returns the rules of scoring in sentences; if `compared`, the interval is of a difference."""
    eleven = "AP is VOC07's: the mean of the highest precision at a recall of 0, 0.1, … 1."
    area = "AP is VOC10's: the area under the curve, made monotone."
    rules = [
        eleven if _voc(config.metric) == "voc07" else area,
        "mAP is the mean over the classes that have objects.",
        f"A detection is right if its IoU with an object of its class is at least "
        f"{config.match_iou:g} and no higher score has found that object.",
        "Objects marked difficult count neither way.",
        f"The interval holds 95 % of {RESAMPLES:,} {'differences' if compared else 'mAPs'} about "
        f"this one, each of as many images, drawn with replacement (bootstrap)"
        f"{', the same for both' if compared else ''}.",
    ]
    if config.metric == "coco":
        rules.append("COCO's AP is given too; everything else here follows these rules.")
    return rules


def _voc(metric: Metric) -> VocMetric:
    return "voc10" if metric == "coco" else metric


def _about(
    run: EvaluationRun, facts: Sequence[tuple[str, str]], command: str, *, compared: bool = False
) -> About:
    now = datetime.now().astimezone()
    return About(
        title=f"{run.job.data.resolve().name}, split {run.split}",
        facts=(
            *facts,
            ("Data", run.dataset),
            ("Date", f"{now.day} {now:%B %Y, %H:%M %Z}"),
            ("Version", f"frcnn {__version__}"),
        ),
        rules=rules_in_words(run.job.rules, compared=compared),
        command=command,
    )


def _write(folder: Path, result: dict[str, Any], page: str) -> None:
    write_json(folder / FIGURES, result)
    write_file(folder / PAGE, page)
