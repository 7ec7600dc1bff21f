"""Kinds of false alarms and misses, and what mending each would give."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from frcnn_cli.evaluation.analysis.counterfactual import (
    map_without_false_alarms,
    map_without_misses,
)
from frcnn_cli.evaluation.analysis.error_types import (
    Evidence,
    FalseAlarm,
    Miss,
    collect_evidence,
    find_false_alarms,
    find_misses,
)
from frcnn_cli.evaluation.metrics.voc import match_split, score
from frcnn_cli.records import ObjectEvidence
from support.samples import detected, sample

CAT, DOG = (0, 0, 10, 10), (50, 50, 60, 60)
CLASSES = ("cat", "dog")


@pytest.fixture
def split():
    """One cat found twice, one dog taken for a cat and detected too loosely, one cat unseen."""
    samples = [sample("a", (1, CAT), (2, DOG)), sample("b", (1, CAT))]
    found = {
        "a": detected(
            (1, 0.9, CAT),
            (1, 0.8, (0, 0, 10, 9)),  # duplicate
            (1, 0.7, DOG),  # confused
            (2, 0.6, (50, 50, 60, 54)),  # IoU 0.4: localisation
            (2, 0.5, (80, 80, 90, 90)),  # background
        )
    }
    return match_split(samples, found, CLASSES)


def test_each_false_alarm_has_its_kind(split):
    alarms = find_false_alarms(split)
    assert alarms.detections.tolist() == [1, 2, 3, 4]
    assert alarms.objects.tolist() == [0, 1, 1, -1]
    assert alarms.kinds.tolist() == [
        FalseAlarm.DUPLICATE,
        FalseAlarm.CONFUSED,
        FalseAlarm.LOCALISATION,
        FalseAlarm.BACKGROUND,
    ]


def test_a_loose_box_on_another_class_is_background():
    samples = [sample("a", (1, CAT), (2, DOG))]
    split = match_split(samples, {"a": detected((1, 0.9, (50, 50, 60, 54)))}, CLASSES)
    assert find_false_alarms(split).kinds.tolist() == [FalseAlarm.BACKGROUND]


def test_misses_without_evidence(split):
    misses = find_misses(split, find_false_alarms(split))
    assert misses.objects.tolist() == [1, 2]
    assert misses.kinds.tolist() == [Miss.CONFUSED, Miss.UNDETECTED]


@pytest.mark.parametrize(
    ("proposal_iou", "candidate_score", "dog", "cat"),
    [
        (0.4, 0.0, Miss.NO_PROPOSAL, Miss.NO_PROPOSAL),
        (0.5, 0.05, Miss.CONFUSED, Miss.SUPPRESSED),
        (0.9, 0.04, Miss.CONFUSED, Miss.LOW_SCORE),
    ],
)
def test_misses_with_evidence(split, proposal_iou, candidate_score, dog, cat):
    evidence = Evidence(np.full(3, proposal_iou), np.full(3, candidate_score), 0.05)
    assert find_misses(split, find_false_alarms(split), evidence).kinds.tolist() == [dog, cat]


def test_what_is_not_known_of_a_photograph_gives_no_reason(split):
    samples = [sample("a", (1, CAT), (2, DOG)), sample("b", (1, CAT))]
    seen = {"a": ObjectEvidence(np.array([1, 0.9], np.float32), np.array([0.9, 0.02], np.float32))}
    evidence = collect_evidence(samples, seen, 0.05)
    np.testing.assert_array_equal(evidence.candidate_score, np.array([0.9, 0.02, np.nan], "f4"))
    misses = find_misses(split, find_false_alarms(split), evidence)
    assert misses.kinds.tolist() == [Miss.CONFUSED, Miss.UNDETECTED]


def test_difficult_objects_are_never_missed():
    samples = [sample("a", (1, CAT), (1, DOG, True))]
    split = match_split(samples, {"a": detected((1, 0.9, CAT))}, CLASSES)
    misses = find_misses(split, find_false_alarms(split))
    assert len(misses.objects) == 0


@pytest.mark.parametrize(
    ("kind", "cat", "dog"),
    [
        # Cats in falling score: hit, duplicate, confused; one of two found. AP 1/2 by area.
        (FalseAlarm.DUPLICATE, 1 / 2, 0),
        (FalseAlarm.BACKGROUND, 1 / 2, 0),
        # The box taken for a cat is the dog, ahead of the two others.
        (FalseAlarm.CONFUSED, 1 / 2, 1),
        # The loose box is moved onto the dog, ahead of the background.
        (FalseAlarm.LOCALISATION, 1 / 2, 1),
    ],
)
def test_what_mending_false_alarms_gives(split, kind, cat, dog):
    assert score(split).mean_ap("voc10") == pytest.approx(1 / 4)
    mended = map_without_false_alarms(split, find_false_alarms(split), kind, "voc10")
    assert mended == pytest.approx((cat + dog) / 2)


def test_what_mending_misses_gives(split):
    # The unseen cat and the dog no longer count: one cat, found first; no dogs, so no mean of them.
    misses = find_misses(split, find_false_alarms(split))
    assert map_without_misses(split, misses, "voc10") == pytest.approx(1)


def test_an_object_is_given_to_one_mended_box_only():
    # Two loose boxes on one cat, then a clean hit on another cat: hit, gone, hit.
    samples = [sample("a", (1, CAT), (1, DOG))]
    found = {
        "a": detected((1, 0.9, (0, 0, 10, 4)), (1, 0.8, (0, 0, 4, 10)), (1, 0.7, DOG)),
    }
    split = match_split(samples, found, ("cat",))
    mended = map_without_false_alarms(
        split, find_false_alarms(split), FalseAlarm.LOCALISATION, "voc10"
    )
    # Before: precision 1/3 at recall 1/2.
    assert score(split).mean_ap("voc10") == pytest.approx(1 / 6)
    assert mended == pytest.approx(1)


def test_where_everything_is_missed_nothing_is_left_to_miss():
    split = match_split([sample("a", (1, CAT))], {}, ("cat",))
    assert map_without_misses(split, find_misses(split, find_false_alarms(split)), "voc07") == 1


BOX = st.builds(lambda x, y: (x, y, x + 6, y + 6), st.integers(0, 8), st.integers(0, 8))
OBJECTS = st.lists(st.tuples(st.integers(1, 2), BOX, st.booleans()), max_size=4)
FOUND = st.lists(st.tuples(st.integers(1, 2), st.sampled_from([0.2, 0.5, 0.9]), BOX), max_size=6)


@settings(max_examples=150, deadline=None)
@given(st.lists(st.tuples(OBJECTS, FOUND), min_size=1, max_size=3))
def test_counts_add_up_and_mending_never_hurts(made):
    samples = [sample(str(i), *objects) for i, (objects, _) in enumerate(made)]
    samples.append(sample("certain", (1, CAT), (2, DOG)))
    detections = {str(i): detected(*found) for i, (_, found) in enumerate(made)}
    detections["certain"] = detected((1, 0.6, CAT), (2, 0.6, DOG))
    split = match_split(samples, detections, CLASSES)
    alarms = find_false_alarms(split)
    misses = find_misses(split, alarms)
    false = sum(int((each.outcomes == 0).sum()) for each in split.matches)
    true = sum(int((each.outcomes == 1).sum()) for each in split.matches)
    assert len(alarms.detections) == len(set(alarms.detections)) == false
    assert len(misses.objects) == int((~split.objects.difficult).sum()) - true
    for metric in ("voc07", "voc10"):
        before = score(split).mean_ap(metric) - 1e-12
        assert map_without_misses(split, misses, metric) >= before
        for kind in FalseAlarm:
            assert before <= map_without_false_alarms(split, alarms, kind, metric) <= 1 + 1e-12
