"""The score at which a detector is used."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from frcnn_cli.evaluation.analysis.operating_point import (
    OperatingPoint,
    best_operating_point,
    from_score,
)
from frcnn_cli.evaluation.metrics.voc import match_split
from frcnn_cli.records import Detections
from support.samples import detected, sample

CAT, DOG = (0, 0, 10, 10), (50, 50, 60, 60)
CLASSES = ("cat", "dog")


def test_by_hand():
    # Right 0.9, wrong 0.8, right 0.7, wrong 0.2, of 3 objects: F1 is 2·2 / (3 + 3) at 0.7.
    samples = [sample("a", (1, CAT), (2, DOG)), sample("b", (1, CAT))]
    found = {
        "a": detected((1, 0.9, CAT), (1, 0.8, DOG), (2, 0.7, DOG)),
        "b": detected((2, 0.2, CAT)),
    }
    point = best_operating_point(match_split(samples, found, CLASSES))
    assert point == OperatingPoint(pytest.approx(0.7), pytest.approx(2 / 3), pytest.approx(2 / 3))
    assert point.f1 == pytest.approx(2 / 3)


def test_equal_scores_stay_together():
    # A right and a wrong one at 0.5: the threshold takes both or none.
    samples = [sample("a", (1, CAT))]
    found = {"a": detected((1, 0.5, CAT), (1, 0.5, DOG))}
    point = best_operating_point(match_split(samples, found, CLASSES))
    assert point == OperatingPoint(0.5, 0.5, 1.0)


def test_without_detections():
    point = best_operating_point(match_split([sample("a", (1, CAT))], {}, CLASSES))
    assert point == OperatingPoint(1.0, 0.0, 0.0)
    assert point.f1 == 0


def test_a_detection_of_a_difficult_object_counts_neither_way():
    samples = [sample("a", (1, CAT), (1, DOG, True))]
    found = {"a": detected((1, 0.9, DOG), (1, 0.4, CAT))}
    point = best_operating_point(match_split(samples, found, CLASSES))
    assert (point.precision, point.recall) == (1, 1)


BOX = st.builds(lambda x, y: (x, y, x + 6, y + 6), st.integers(0, 8), st.integers(0, 8))
OBJECTS = st.lists(st.tuples(st.integers(1, 2), BOX, st.booleans()), max_size=4)
FOUND = st.lists(
    st.tuples(st.integers(1, 2), st.sampled_from([0.2, 0.5, 0.7, 0.9]), BOX), max_size=6
).map(lambda rows: sorted(rows, key=lambda row: -row[1]))


@settings(max_examples=60)
@given(st.lists(st.tuples(OBJECTS, FOUND), min_size=1, max_size=3), st.floats(0, 1))
def test_cutting_is_matching_what_is_left(made, least):
    samples = [sample(str(i), *objects) for i, (objects, _) in enumerate(made)]
    detections = {str(i): detected(*found) for i, (_, found) in enumerate(made)}
    cut = from_score(match_split(samples, detections, CLASSES), least)
    kept = {}
    for name, each in detections.items():
        keep = each.scores >= np.float32(least)
        kept[name] = Detections(each.boxes[keep], each.scores[keep], each.labels[keep])
    again = match_split(samples, kept, CLASSES)
    for mine, expected in zip(cut.matches, again.matches, strict=True):
        np.testing.assert_array_equal(mine.outcomes, expected.outcomes)
        np.testing.assert_array_equal(mine.objects, expected.objects)
        np.testing.assert_array_equal(
            cut.detections.scores[mine.detections], again.detections.scores[expected.detections]
        )
