"""Calibration: fitted where the truth is known, and what it may not change."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from frcnn_cli.evaluation.analysis.calibration import ReliabilityBin, fit_calibration, reliability
from frcnn_cli.evaluation.analysis.operating_point import operating_point
from frcnn_cli.evaluation.metrics.voc import MatchedSplit, match_split, score
from frcnn_cli.records import Calibration, OperatingPoint
from support.samples import detected, sample

POINT = OperatingPoint(0.5, 0.5, 0.5)


def split_of(scores: list[float], right: list[bool]) -> MatchedSplit:
    """Images with as many cats as detections, of which those that are right lie on a cat each."""
    cats = [(20 * i, 0, 20 * i + 10, 10) for i in range(100)]
    places = [(box[0], 20, box[2], 30) for box in cats]
    samples, found = [], {}
    for start in range(0, len(scores), 100):
        rows = zip(cats, places, scores[start : start + 100], right[start:], strict=False)
        boxes = [(1, p, cat if hit else place) for cat, place, p, hit in rows]
        samples.append(sample(str(start), *((1, cat) for cat in cats[: len(boxes)])))
        found[str(start)] = detected(*boxes)
    return match_split(samples, found, ("cat",))


@pytest.fixture(scope="module")
def split() -> MatchedSplit:
    """A hundred detections of each of 48 scores; the odds of being right are 3 (s / (1 - s))²."""
    levels = np.linspace(0.03, 0.97, 48)
    odds = 3 * (levels / (1 - levels)) ** 2
    hits = np.round(100 * odds / (1 + odds)).astype(int)
    return split_of(
        np.repeat(levels, 100).tolist(), [i < n for n in hits.tolist() for i in range(100)]
    )


def test_the_fit_finds_what_made_the_data(split: MatchedSplit) -> None:
    found = fit_calibration(split, "val")
    assert found is not None
    assert found.slope == pytest.approx(2, rel=0.02)
    assert found.offset == pytest.approx(np.log(3), abs=0.03)
    assert (found.split, found.images) == ("val", 48)


def test_of_boxes_scored_80_percent_80_percent_are_right_and_the_map_stays(
    split: MatchedSplit,
) -> None:
    found = fit_calibration(split, "val")
    assert found is not None
    before = split.detections.scores
    after = found.apply(before)
    assert (np.argsort(-after, kind="stable") == np.argsort(-before, kind="stable")).all()
    calibrated = replace(split, detections=replace(split.detections, scores=after))
    for metric in ("voc07", "voc10"):
        assert score(calibrated).mean_ap(metric) == score(split).mean_ap(metric)
    for each in reliability(calibrated):
        assert each.right == pytest.approx(each.score, abs=0.02)
    # The odds are 1 from s = 0.366 on. Precision and recall are those of the printed threshold.
    assert 0.3 < found.threshold.score == round(found.threshold.score, 3) < 0.5
    assert found.threshold == operating_point(calibrated, found.threshold.score)


def test_by_hand() -> None:
    # Odds of 1/4 become (1/4)² · 32 = 2.
    calibration = Calibration(2, np.log(32), POINT, "val", 1)
    assert calibration.calibrated(0.2) == pytest.approx(2 / 3)
    assert calibration.raw(2 / 3) == pytest.approx(0.2)
    assert calibration.apply(np.array([0, 0.2, 1], np.float32)).tolist() == pytest.approx(
        [0, 2 / 3, 1]
    )


@pytest.mark.parametrize(
    ("scores", "right"),
    [([0.9, 0.2], [True, True]), ([0.9, 0.2], [False, False])],
)
def test_nothing_to_learn(scores: list[float], right: list[bool]) -> None:
    assert fit_calibration(split_of(scores, right), "val") is None


def test_no_detections() -> None:
    split = match_split([sample("a", (1, (0, 0, 10, 10)))], {}, ("cat",))
    assert fit_calibration(split, "val") is None
    assert reliability(split) == ()


def test_scores_that_fall_with_being_right_are_not_calibrated() -> None:
    scores, right = [0.9] * 50 + [0.2] * 50, [False] * 50 + [True] * 50
    assert fit_calibration(split_of(scores, right), "val") is None


def test_two_detections_do_not_make_a_certain_threshold() -> None:
    found = fit_calibration(split_of([0.9, 0.2], [True, False]), "val")
    assert found is not None
    # Platt's targets: 2/3 and 1/3 instead of 1 and 0.
    assert found.apply(np.array([0.9, 0.2], np.float32)).tolist() == pytest.approx(
        [2 / 3, 1 / 3], abs=1e-4
    )


def test_bins_by_hand() -> None:
    found = reliability(split_of([1, 0.27, 0.25, 0.1], [True, False, True, False]))
    assert found == (
        ReliabilityBin(0.1, 0.2, pytest.approx(0.1), 0, 1),
        ReliabilityBin(0.2, 0.3, pytest.approx(0.26), 0.5, 2),
        ReliabilityBin(0.9, 1.0, 1, 1, 1),
    )


def test_scores_of_another_scale_have_no_bins() -> None:
    assert reliability(split_of([3, 0.5], [True, False])) == ()
