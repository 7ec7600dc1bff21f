"""Analyses with something in every place, and names that would break careless markup."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from frcnn_cli.evaluation.analysis import Analysis, ErrorCounts
from frcnn_cli.evaluation.analysis.bootstrap import Interval
from frcnn_cli.evaluation.analysis.comparison import Comparison, compare
from frcnn_cli.evaluation.analysis.error_types import FalsePositiveType
from frcnn_cli.evaluation.metrics.voc import match_split
from frcnn_cli.evaluation.report.galleries import Gallery
from frcnn_cli.evaluation.report.html import About
from frcnn_cli.evaluation.report.thumbnails import DETECTED, TRUTH, make_picture
from frcnn_cli.plotting.draw import Mark
from frcnn_cli.records import as_boxes
from support.samples import detected, sample

NASTY = '<script>alert("1 & 2")</script>'
LONG = "a-very-long-name-without-any-place-to-break-it-" * 3
ABOUT = About(
    title=f"data {NASTY}, split test",
    facts=[("Checkpoint", f"/home/{LONG}.safetensors"), ("Date", "1 January 2026")],
    rules=["AP is VOC07's.", "Objects marked difficult count neither way."],
    command=f"frcnn eval {LONG} --report {NASTY}",
)


def analysis(classes: Sequence[str] = ("cat", "dog", NASTY, LONG), score: float = 0.9) -> Analysis:
    """Objects of every class but the last, "unseen"; some found, confused, misplaced and missed."""
    names = [*classes, "unseen"]
    right, far = (0, 0, 40, 40), (200, 200, 240, 240)
    samples, found = [], {}
    for label in range(1, len(names)):
        other = label % len(names) + 1
        for i, boxes in enumerate(
            (
                [(label, score, right)],
                [(label, 0.8, right), (label, 0.7, right), (label, 0.6, far)],
                [(other, 0.75, right)],
                [(label, 0.65, (0, 0, 40, 18))],
                [],
            )
        ):
            samples.append(sample(f"{label}-{i}", (label, right)))
            found[f"{label}-{i}"] = detected(*boxes)
    return Analysis(match_split(samples, found, names), "voc07", resamples=20)


def report(classes: Sequence[str] = ("cat", "dog", NASTY, LONG), pictures: int = 3):
    """Arguments of `render_report`; the numbers that tests look for are given."""
    made = analysis(classes)
    counts = {
        **made.false_positive_types,
        FalsePositiveType.BACKGROUND: ErrorCounts(12, 1345, made.map + 0.034),
        FalsePositiveType.DUPLICATE: ErrorCounts(0, 0, made.map),
    }
    made.map_interval, made.false_positive_types = Interval(0.4, 0.6), counts
    gallery = Gallery("One", "what it means", 99, [picture() for _ in range(pictures)])
    galleries = [gallery] if pictures else []
    return made, ABOUT, (galleries, galleries)


def comparison() -> tuple[Comparison, About, tuple[str, str]]:
    """Arguments of `render_comparison`; B is worse by 0.012."""
    made = compare(analysis(), analysis(score=0.1))
    made = replace(made, difference=-0.012, interval=Interval(-0.03, 0.004))
    return made, ABOUT, (f"old/{LONG}.json", f"new/{NASTY}.json")


def picture(title: str = "dog 0.93", width: int = 500, height: int = 375):
    noise = np.random.default_rng(0).integers(0, 256, (height, width, 3), dtype=np.uint8)
    boxes = as_boxes([(10, 20, width / 2, height / 2), (30, 30, width - 5, height - 5)])
    marks = [Mark(boxes[0], DETECTED, "dog", "0.93"), Mark(boxes[1], TRUTH, NASTY)]
    return make_picture(noise, marks, title=title, detail="is cat; IoU 0.81", file=f"{LONG}.jpg")
