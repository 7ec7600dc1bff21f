"""The drawings of a report: what their parts are, and that names cannot break out of them."""

from __future__ import annotations

import re
from xml.etree import ElementTree

import numpy as np
import pytest

from frcnn_cli.evaluation.analysis.calibration import ReliabilityBin
from frcnn_cli.evaluation.metrics.voc import evaluate
from frcnn_cli.evaluation.report.charts import (
    precision_recall,
    reliability_curve,
    score_histogram,
)
from support.samples import detected, sample

BOX, FAR = (0, 0, 10, 10), (50, 50, 60, 60)


def parts(drawing, kind):
    """The outlines, as numbers (N, 2), of the parts of one class."""
    groups = list(ElementTree.fromstring(drawing).iter("g"))
    mine = [each for each in groups if each.get("class") == kind]
    paths = [path.get("d") for each in mine for path in each.iter("path")]
    return [np.array(re.findall(r"[-\d.]+", path), float).reshape(-1, 2) for path in paths]


@pytest.fixture
def result():
    """Hit, miss, hit of two objects: precision 1 up to recall 1/2, then 2/3."""
    samples = [sample("a", (1, BOX), (1, FAR)), sample("b")]
    found = {"a": detected((1, 0.9, BOX), (1, 0.7, FAR)), "b": detected((1, 0.8, BOX))}
    return evaluate(samples, found, ('<"cat" & \'|>',)).classes[0]


def test_a_curve_its_operating_point_and_its_tips(result):
    drawing = precision_recall(result, "voc10", 0.85)
    root = ElementTree.fromstring(drawing)
    assert root.get("aria-label") == (
        '<"cat" & \'|>: AP 0.833; at the operating point precision 1.00 at recall 0.50'
    )
    tips = [each.text for each in root.iter("title")]
    assert len(tips) == 10
    assert tips[0] == '<"cat" & \'|>: precision 1.00 at recall 0.05'
    assert tips[9] == '<"cat" & \'|>: precision 0.67 at recall 0.95'
    # The axes are 148 × 104 pixels with their corner at (26, 110).
    (line,) = parts(drawing, "line")
    corners = [(0, 1), (0.5, 1), (0.5, 2 / 3), (1, 2 / 3)]
    expected = [(26 + 148 * r, 110 - 104 * p) for r, p in corners]
    assert line == pytest.approx(np.array(expected), abs=0.01)
    (dot,) = parts(drawing, "dot")
    assert dot.mean(axis=0) == pytest.approx((26 + 74, 6), abs=1)
    assert not re.search(r" style=| id=|url\(|#[0-9a-f]{6}", drawing)


def test_no_dot_is_drawn_above_every_score(result):
    assert parts(precision_recall(result, "voc10", 0.95), "dot") == []


def test_bars_of_a_histogram():
    drawing = score_histogram(np.array([0, 0.5, 1]), [0, 100], [10, 1], 0.4)
    # Three decades of 200 pixels: two upwards, one downwards, zero at 8 + 2 / 3 · 200.
    zero, decade = 8 + 400 / 3, 200 / 3
    good, bad = parts(drawing, "good"), parts(drawing, "bad")
    heights = [each[:, 1].max() - each[:, 1].min() for each in (*good, *bad)]
    assert heights == pytest.approx([0, 2 * decade, decade, decade * np.log10(1.9)], abs=0.01)
    assert good[1][:, 1].max() == pytest.approx(zero, abs=0.01)
    assert bad[0][:, 1].min() == pytest.approx(zero, abs=0.01)
    tips = [each.text for each in ElementTree.fromstring(drawing).iter("title")]
    assert tips[1] == "score 0.50 to 1.00: 100 right, 1 wrong"


def test_a_reliability_curve():
    bins = (ReliabilityBin(0.1, 0.2, 0.15, 0.25, 400), ReliabilityBin(0.9, 1.0, 0.95, 1.0, 3))
    drawing = reliability_curve(bins)
    # The axes are 426 × 200 pixels with their corner at (46, 208).
    (line,) = parts(drawing, "line")
    expected = [(46 + 426 * score, 208 - 200 * right) for score, right in ((0.15, 0.25), (0.95, 1))]
    assert line == pytest.approx(np.array(expected), abs=0.01)
    assert len(parts(drawing, "dot")) == 2
    tips = [each.text for each in ElementTree.fromstring(drawing).iter("title")]
    assert tips == ["score 0.15: 25% of 400 are right", "score 0.95: 100% of 3 are right"]
