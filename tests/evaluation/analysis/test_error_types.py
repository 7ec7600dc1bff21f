"""Types of false positives and misses, and what fixing each would give."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from frcnn_cli.evaluation.analysis.counterfactual import (
    map_without_false_negatives,
    map_without_false_positives,
)
from frcnn_cli.evaluation.analysis.error_types import (
    Evidence,
    FalseNegativeType,
    FalsePositiveType,
    collect_evidence,
    find_false_negatives,
    find_false_positives,
)
from frcnn_cli.evaluation.metrics.voc import match_split, score
from frcnn_cli.records import GroundTruthDiagnostics
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
    wrong = find_false_positives(split)
    assert wrong.detections.tolist() == [1, 2, 3, 4]
    assert wrong.objects.tolist() == [0, 1, 1, -1]
    assert wrong.types.tolist() == [
        FalsePositiveType.DUPLICATE,
        FalsePositiveType.CONFUSED,
        FalsePositiveType.LOCALISATION,
        FalsePositiveType.BACKGROUND,
    ]


def test_a_loose_box_on_another_class_is_background():
    samples = [sample("a", (1, CAT), (2, DOG))]
    split = match_split(samples, {"a": detected((1, 0.9, (50, 50, 60, 54)))}, CLASSES)
    assert find_false_positives(split).types.tolist() == [FalsePositiveType.BACKGROUND]


def test_misses_without_evidence(split):
    misses = find_false_negatives(split, find_false_positives(split))
    assert misses.objects.tolist() == [1, 2]
    assert misses.types.tolist() == [FalseNegativeType.CONFUSED, FalseNegativeType.UNDETECTED]


@pytest.mark.parametrize(
    ("proposal_iou", "candidate_score", "dog", "cat"),
    [
        (0.4, 0.0, FalseNegativeType.NO_PROPOSAL, FalseNegativeType.NO_PROPOSAL),
        (0.5, 0.05, FalseNegativeType.CONFUSED, FalseNegativeType.SUPPRESSED),
        (0.9, 0.04, FalseNegativeType.CONFUSED, FalseNegativeType.LOW_SCORE),
    ],
)
def test_misses_with_evidence(split, proposal_iou, candidate_score, dog, cat):
    evidence = Evidence(np.full(3, proposal_iou), np.full(3, candidate_score), 0.05)
    assert find_false_negatives(split, find_false_positives(split), evidence).types.tolist() == [
        dog,
        cat,
    ]


def test_what_is_not_known_of_an_image_gives_no_reason(split):
    samples = [sample("a", (1, CAT), (2, DOG)), sample("b", (1, CAT))]
    seen = {
        "a": GroundTruthDiagnostics(
            np.array([1, 0.9], np.float32), np.array([0.9, 0.02], np.float32)
        )
    }
    evidence = collect_evidence(samples, seen, 0.05)
    np.testing.assert_array_equal(evidence.candidate_score, np.array([0.9, 0.02, np.nan], "f4"))
    misses = find_false_negatives(split, find_false_positives(split), evidence)
    assert misses.types.tolist() == [FalseNegativeType.CONFUSED, FalseNegativeType.UNDETECTED]


def test_difficult_objects_are_never_missed():
    samples = [sample("a", (1, CAT), (1, DOG, True))]
    split = match_split(samples, {"a": detected((1, 0.9, CAT))}, CLASSES)
    misses = find_false_negatives(split, find_false_positives(split))
    assert len(misses.objects) == 0


@pytest.mark.parametrize(
    ("kind", "cat", "dog"),
    [
        # Cats in decreasing score: hit, duplicate, confused; one of two found. AP 1/2 by area.
        (FalsePositiveType.DUPLICATE, 1 / 2, 0),
        (FalsePositiveType.BACKGROUND, 1 / 2, 0),
        # The box taken for a cat is the dog, ahead of the two others.
        (FalsePositiveType.CONFUSED, 1 / 2, 1),
        # The loose box is moved onto the dog, ahead of the background.
        (FalsePositiveType.LOCALISATION, 1 / 2, 1),
    ],
)
def test_what_fixing_false_wrong_gives(split, kind, cat, dog):
    assert score(split).mean_ap("voc10") == pytest.approx(1 / 4)
    fixed = map_without_false_positives(split, find_false_positives(split), kind, "voc10")
    assert fixed == pytest.approx((cat + dog) / 2)


def test_what_fixing_misses_gives(split):
    # The unseen cat and the dog no longer count: one cat, found first; no dogs, so no mean of them.
    misses = find_false_negatives(split, find_false_positives(split))
    assert map_without_false_negatives(split, misses.objects, "voc10") == pytest.approx(1)


def test_an_object_is_given_to_one_fixed_box_only():
    # Two loose boxes on one cat, then a clean hit on another cat: hit, gone, hit.
    samples = [sample("a", (1, CAT), (1, DOG))]
    found = {
        "a": detected((1, 0.9, (0, 0, 10, 4)), (1, 0.8, (0, 0, 4, 10)), (1, 0.7, DOG)),
    }
    split = match_split(samples, found, ("cat",))
    fixed = map_without_false_positives(
        split, find_false_positives(split), FalsePositiveType.LOCALISATION, "voc10"
    )
    # Before: precision 1/3 at recall 1/2.
    assert score(split).mean_ap("voc10") == pytest.approx(1 / 6)
    assert fixed == pytest.approx(1)


def test_where_everything_is_missed_nothing_is_left_to_miss():
    split = match_split([sample("a", (1, CAT))], {}, ("cat",))
    missed = find_false_negatives(split, find_false_positives(split)).objects
    assert map_without_false_negatives(split, missed, "voc07") == 1


BOX = st.builds(lambda x, y: (x, y, x + 6, y + 6), st.integers(0, 8), st.integers(0, 8))
OBJECTS = st.lists(st.tuples(st.integers(1, 2), BOX, st.booleans()), max_size=4)
FOUND = st.lists(st.tuples(st.integers(1, 2), st.sampled_from([0.2, 0.5, 0.9]), BOX), max_size=6)


@pytest.mark.slow
@settings(max_examples=80, deadline=None)
@given(st.lists(st.tuples(OBJECTS, FOUND), min_size=1, max_size=3))
def test_counts_add_up_and_fixing_never_hurts(made):
    samples = [sample(str(i), *objects) for i, (objects, _) in enumerate(made)]
    samples.append(sample("certain", (1, CAT), (2, DOG)))
    detections = {str(i): detected(*found) for i, (_, found) in enumerate(made)}
    detections["certain"] = detected((1, 0.6, CAT), (2, 0.6, DOG))
    split = match_split(samples, detections, CLASSES)
    wrong = find_false_positives(split)
    misses = find_false_negatives(split, wrong)
    false = sum(int((each.outcomes == 0).sum()) for each in split.matches)
    true = sum(int((each.outcomes == 1).sum()) for each in split.matches)
    assert len(wrong.detections) == len(set(wrong.detections)) == false
    assert len(misses.objects) == int((~split.objects.difficult).sum()) - true
    for metric in ("voc07", "voc10"):
        before = score(split).mean_ap(metric) - 1e-12
        assert map_without_false_negatives(split, misses.objects, metric) >= before
        for kind in FalsePositiveType:
            assert before <= map_without_false_positives(split, wrong, kind, metric) <= 1 + 1e-12
