"""Pages with something in every place, and names that would break careless markup."""

from __future__ import annotations

import numpy as np

from frcnn_cli.evaluation.report.charts import Curve, Histogram
from frcnn_cli.evaluation.report.html import (
    ClassRow,
    ComparisonPage,
    DifferenceRow,
    Gallery,
    Headline,
    KindPair,
    KindRow,
    ReportPage,
    SizeRow,
)
from frcnn_cli.evaluation.report.thumbnails import DETECTED, TRUTH, make_picture
from frcnn_cli.plotting.draw import Mark
from frcnn_cli.records import as_boxes

NASTY = '<script>alert("1 & 2")</script>'
LONG = "a-very-long-name-without-any-place-to-break-it-" * 3


def headline(value=0.5, low=0.4, high=0.6):
    return Headline(
        title=f"data {NASTY}, split test",
        name="mAP",
        value=value,
        low=low,
        high=high,
        numbers=[("Photographs", "12"), ("Objects", "1,345"), ("In use from score", "0.412")],
        facts=[("Checkpoint", f"/home/{LONG}.safetensors"), ("Date", "1 January 2026")],
        rules=["AP is VOC07's.", "Objects marked difficult count neither way."],
        command=f"frcnn eval {LONG} --report {NASTY}",
    )


def picture(title="dog 0.93", width=500, height=375):
    noise = np.random.default_rng(0).integers(0, 256, (height, width, 3), dtype=np.uint8)
    boxes = as_boxes([(10, 20, width / 2, height / 2), (30, 30, width - 5, height - 5)])
    marks = [Mark(boxes[0], DETECTED, "dog", "0.93"), Mark(boxes[1], TRUTH, NASTY)]
    return make_picture(noise, marks, title=title, detail="is cat; IoU 0.81", file=f"{LONG}.jpg")


def report(classes=("cat", "dog", NASTY, LONG), pictures=3):
    names = list(classes)
    k = len(names) + 1
    rows = [ClassRow(name, 0.7, 0.5, 0.9, 20, 2, 15, 4, 300) for name in names]
    rows.append(ClassRow("unseen", None, None, None, 0, 0, 0, 3, 9))
    recall = np.array([0.2, 0.2, 0.4, 0.4])
    precision = np.array([1, 0.5, 2 / 3, 0.5])
    kinds = [KindRow(name, "what it means", 12, 1345, 0.034) for name in ("One", "Two", NASTY)]
    galleries = [Gallery("One", "what it means", 99, [picture() for _ in range(pictures)])]
    return ReportPage(
        headline=headline(),
        working_score=0.412,
        classes=rows,
        curves=[Curve(name, 0.7, precision, recall, 2) for name in names],
        misses=kinds,
        alarms=[*kinds, KindRow("None", "never", 0, 0, 0.0)],
        confusion=(["nothing", *names], np.arange(k * k).reshape(k, k).tolist()),
        scores=Histogram([0.0, 0.5, 1.0], [3, 40], [12345, 0], 0.412),
        sizes=[SizeRow("small", "below 32² px", 0, None, None), SizeRow("large", "", 9, 0.3, 0.6)],
        miss_galleries=galleries if pictures else [],
        alarm_galleries=galleries if pictures else [],
        unexplained="Run the detector to see more.",
    )


def comparison():
    return ComparisonPage(
        headline=headline(-0.012, -0.03, 0.004),
        verdict="The interval includes 0.",
        a=f"old/{LONG}.json",
        b=f"new/{NASTY}.json",
        map_a=0.512,
        map_b=0.5,
        classes=[
            DifferenceRow("dog", 9, 0.5, 0.6, 0.1, 0.02, 0.2),
            DifferenceRow(LONG, 9, 0.5, 0.5, 0.0, None, None),
            DifferenceRow("cat", 9, 0.5, 0.4, -0.1, -0.2, -0.02),
        ],
        misses=[KindPair("One", 12, 9), KindPair("Two", 0, 0)],
        alarms=[KindPair("One", 1, 1234)],
    )
