"""The bootstrap of the mAP, against images that are really drawn again."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from frcnn_cli.errors import DataError
from frcnn_cli.evaluation.analysis import bootstrap
from frcnn_cli.evaluation.analysis.bootstrap import (
    Interval,
    bootstrap_aps,
    bootstrap_maps,
    draw_weights,
    interval,
    share_interval,
)
from frcnn_cli.evaluation.metrics.voc import evaluate, match_split
from support.samples import detected, sample

CAT, DOG = (0, 0, 10, 10), (50, 50, 60, 60)
CLASSES = ("cat", "dog")


def drawn_again(samples, detections, weights):
    """The AP of each class, the slow and obvious way: each image as often as it is drawn."""
    copies, found = [], {}
    for each, times in zip(samples, weights, strict=True):
        for i in range(times):
            copies.append(replace(each, image_id=f"{each.image_id}#{i}"))
            if each.image_id in detections:
                found[f"{each.image_id}#{i}"] = detections[each.image_id]
    try:
        return evaluate(copies, found, CLASSES).classes
    except DataError:  # no object at all
        return None


def test_a_resample_draws_as_many_images():
    weights = draw_weights(7, 50, seed=3)
    assert weights.shape == (7, 50)
    assert (weights.sum(axis=0) == 7).all()
    assert (weights == draw_weights(7, 50, seed=3)).all()
    assert (weights != draw_weights(7, 50, seed=4)).any()


def test_by_hand():
    # a: a hit at 0.9. b: a false positive at 0.8 and a hit at 0.7. c: a missed cat.
    samples = [sample(name, (1, CAT)) for name in "abc"]
    found = {
        "a": detected((1, 0.9, CAT)),
        "b": detected((1, 0.8, DOG), (1, 0.7, CAT)),
    }
    split = match_split(samples, found, ("cat",))
    weights = np.array([[1, 1, 1], [3, 0, 0], [0, 3, 0], [0, 0, 3], [0, 1, 2]], np.int32).T
    aps = bootstrap_aps(split, "voc10", weights)
    #  1/3 at precision 1, 1/3 at 2/3; all hits; 3 false before 3 hits; nothing; 1/3 at 1/2
    assert aps[0] == pytest.approx([1 / 3 + 2 / 9, 1, 1 / 2, 0, 1 / 6])


def test_a_class_without_objects_is_left_out_of_that_mean():
    samples = [sample("a", (1, CAT)), sample("b", (2, DOG))]
    found = {"a": detected((1, 0.9, CAT)), "b": detected((2, 0.9, CAT))}
    aps = bootstrap_aps(match_split(samples, found, CLASSES), "voc07", np.array([[2], [0]]))
    assert aps[0] == pytest.approx(1)
    assert np.isnan(aps[1])
    assert bootstrap_maps(aps) == pytest.approx([1])


def test_the_interval_is_the_middle_of_the_resamples_about_the_estimate():
    middle = interval(np.arange(101.0), 50)
    assert (middle.low, middle.high) == pytest.approx((2.5, 97.5))
    moved = interval(np.arange(101.0), 40)
    assert (moved.low, moved.high) == pytest.approx((-7.5, 87.5))
    assert interval(np.array([np.nan, 0.5]), 0.4) == Interval(
        pytest.approx(0.4), pytest.approx(0.4)
    )
    assert interval(np.array([np.nan]), 0.4) is None
    assert interval(np.array([0.5]), None) is None


def test_the_interval_of_a_share_stays_within_0_and_1():
    shares = np.linspace(0, 1, 101)
    assert share_interval(shares, 0.2) == Interval(0, pytest.approx(0.675))
    assert share_interval(shares, 0.9) == Interval(pytest.approx(0.425), 1)
    assert share_interval(np.array([np.nan]), 0.9) is None


def test_intervals_that_exclude_zero():
    assert Interval(0.01, 0.03).excludes_zero
    assert Interval(-0.03, -0.01).excludes_zero
    assert not Interval(-0.01, 0.03).excludes_zero


BOX = st.builds(lambda x, y: (x, y, x + 6, y + 6), st.integers(0, 8), st.integers(0, 8))
OBJECTS = st.lists(st.tuples(st.integers(1, 2), BOX, st.booleans()), max_size=4)
# Equal scores of one image have no order of their own: which comes first is a matter of taste.
FOUND = st.lists(
    st.tuples(st.integers(1, 2), st.sampled_from([0.2, 0.5, 0.6, 0.7, 0.8, 0.9]), BOX),
    max_size=6,
    unique_by=lambda row: row[1],
).map(lambda rows: sorted(rows, key=lambda row: -row[1]))


@settings(max_examples=60)
@given(
    st.lists(st.tuples(OBJECTS, FOUND), min_size=1, max_size=4),
    st.integers(0, 9),
    st.sampled_from(["voc07", "voc10"]),
)
def test_as_if_images_were_drawn_again(made, seed, metric):
    samples = [sample(str(i), *objects) for i, (objects, _) in enumerate(made)]
    detections = {str(i): detected(*found) for i, (_, found) in enumerate(made)}
    split = match_split(samples, detections, CLASSES)
    weights = draw_weights(len(samples), 5, seed)
    aps = bootstrap_aps(split, metric, weights)
    for resample, column in zip(weights.T, aps.T, strict=True):
        expected = drawn_again(samples, detections, resample)
        if expected is None:
            assert np.isnan(column).all()
            continue
        for each, ap in zip(expected, column, strict=True):
            if each.objects:
                assert ap == pytest.approx(each.ap(metric), abs=1e-12)
            else:
                assert np.isnan(ap)


def test_large_splits_are_done_in_several_goes(monkeypatch):
    samples = [sample(name, (1, CAT), (2, DOG)) for name in "abcde"]
    found = {"a": detected((1, 0.9, CAT)), "c": detected((1, 0.8, DOG), (2, 0.7, DOG))}
    split = match_split(samples, found, CLASSES)
    weights = draw_weights(5, 40)
    at_once = bootstrap_aps(split, "voc07", weights)
    monkeypatch.setattr(bootstrap, "BLOCK", 17)
    np.testing.assert_array_equal(bootstrap_aps(split, "voc07", weights), at_once)
