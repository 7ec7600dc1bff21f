"""Samples and detections → the report of an evaluation, and the comparison of two."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from frcnn_cli.config import EvalConfig
from frcnn_cli.evaluation.analysis import Analysis, analyse
from frcnn_cli.evaluation.analysis_json import analysis_to_json
from frcnn_cli.evaluation.bootstrap import RESAMPLES
from frcnn_cli.evaluation.comparison import Comparison, compare, comparison_to_json
from frcnn_cli.evaluation.mistakes import collect_evidence
from frcnn_cli.evaluation.voc import match_split
from frcnn_cli.pipelines.export import write_text
from frcnn_cli.pipelines.mistake_pictures import MistakePictures
from frcnn_cli.pipelines.progress import Progress, silent
from frcnn_cli.pipelines.report_pages import About, comparison_page, report_page
from frcnn_cli.records import Detections, ObjectEvidence, Sample
from frcnn_cli.viz.report.page import render_comparison, render_report


@dataclass(frozen=True)
class Scored:
    """A split and what was detected in it.

    Attributes:
        samples: the photographs that count.
        detections: by image id.
        classes: names of the labels 1..K.
        seen: what the detector saw of the objects, by image id; None for detections of a file.
        score: least score of the detections.
    """

    samples: Sequence[Sample]
    detections: Mapping[str, Detections]
    classes: Sequence[str]
    seen: Mapping[str, ObjectEvidence] | None = None
    score: float = 0.0


def analyse_scored(scored: Scored, config: EvalConfig) -> Analysis:
    """Finds out where a detector fails.

    Raises:
        DataError: the detections do not belong to the samples, or there is no object.
    """
    split = match_split(scored.samples, scored.detections, scored.classes, config.iou)
    evidence = (
        None if scored.seen is None else collect_evidence(scored.samples, scored.seen, scored.score)
    )
    return analyse(split, config.metric, evidence)


def write_report(
    folder: Path,
    scored: Scored,
    config: EvalConfig,
    about: About,
    progress: Progress = silent,
) -> dict[str, Any]:
    """Writes `index.html`, a page that needs nothing else, and `report.json` into `folder`.

    Returns:
        What `report.json` holds.

    Raises:
        ConfigError: the folder cannot be written to.
        DataError: the detections do not belong to the samples, or there is no object.
    """
    analysis = analyse_scored(scored, config)
    galleries = MistakePictures(analysis, scored.samples).galleries(progress)
    result = analysis_to_json(analysis)
    write_text(folder / "report.json", json.dumps(result, indent=1, allow_nan=False) + "\n")
    write_text(folder / "index.html", render_report(report_page(analysis, about, galleries)))
    return result


def compare_scored(a: Scored, b: Scored, config: EvalConfig) -> Comparison:
    """Holds the detections of `b` against those of `a`, of the same samples.

    Raises:
        DataError: the detections do not belong to the samples, or there is no object.
    """
    return compare(analyse_scored(a, config), analyse_scored(b, config))


def write_comparison(
    folder: Path, comparison: Comparison, about: About, names: tuple[str, str]
) -> None:
    """Writes the comparison of two detectors as `index.html` and `report.json` into `folder`.

    Raises:
        ConfigError: the folder cannot be written to.
    """
    result = comparison_to_json(comparison)
    write_text(folder / "report.json", json.dumps(result, indent=1, allow_nan=False) + "\n")
    page = comparison_page(comparison, about, *names)
    write_text(folder / "index.html", render_comparison(page))


def rules_in_words(config: EvalConfig) -> list[str]:
    """Returns how was scored, one sentence a rule."""
    rule = (
        "AP is VOC07's: the mean of the highest precision at a recall of 0, 0.1, … 1."
        if config.metric == "voc07"
        else "AP is VOC10's: the area under the curve, made monotone."
    )
    return [
        rule,
        "mAP is the mean over the classes that have objects.",
        f"A detection is right if its IoU with an object of its class is at least {config.iou:g}, "
        "and no higher score has found that object.",
        "Objects marked difficult count neither way.",
        f"The interval is the middle 95 % of {RESAMPLES:,} mAPs, each of as many photographs drawn "
        "with replacement (bootstrap).",
    ]
