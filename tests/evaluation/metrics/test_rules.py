"""Each switch of the rules on a case by hand, and COCO's assignment by a slow reference."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from frcnn_cli.evaluation.explain import explain
from frcnn_cli.evaluation.metrics.average_precision import COCO_LEVELS, at_levels
from frcnn_cli.evaluation.metrics.matching import MatchOutcome
from frcnn_cli.evaluation.metrics.rules import Rules
from frcnn_cli.evaluation.metrics.tables import tabulate
from frcnn_cli.evaluation.metrics.voc import match_tables, score
from support import reference
from support.samples import detected, sample
from support.splits import split_of, tabled

BOX, FAR = (0, 0, 10, 10), (50, 50, 60, 60)
HIT, MISS, IGNORED = MatchOutcome.TRUE_POSITIVE, MatchOutcome.FALSE_POSITIVE, MatchOutcome.IGNORED


def outcomes(objects, found, rules):
    """The outcomes of one image's detections of one class, in decreasing score."""
    both = tabulate([sample("a", *objects)], {"a": detected(*found)}, ("cat",))
    return match_tables(both, rules).matches[0].outcomes.tolist()


@pytest.mark.parametrize(
    ("objects", "found", "switch", "before", "after"),
    [
        # IoU of exactly 1/2
        ([(1, BOX)], [(1, 0.9, (0, 0, 10, 5))], Rules(above=True), [HIT], [MISS]),
        # Pixels 1..3 of 1..4: 3/4 with the + 1, and 2 × 3 of 3 × 3 without
        (
            [(1, (0, 0, 4, 4))],
            [(1, 0.9, (0, 0, 3, 4))],
            Rules(0.7, plus_one=False),
            [HIT],
            [MISS],
        ),
        ([(1, BOX, True)], [(1, 0.9, BOX)], Rules(ignore_difficult=False), [IGNORED], [HIT]),
        (
            [(1, BOX), (1, (0, 0, 10, 14))],
            [(1, 0.9, BOX), (1, 0.8, BOX)],
            Rules(assignment="free"),
            [HIT, MISS],
            [HIT, HIT],
        ),
        # An ordinary object goes before a difficult one that overlaps more.
        (
            [(1, (0, 0, 10, 6)), (1, (0, 0, 10, 8), True)],
            [(1, 0.9, BOX), (1, 0.8, BOX), (1, 0.7, BOX)],
            Rules(assignment="free"),
            [IGNORED, IGNORED, IGNORED],
            [HIT, IGNORED, IGNORED],
        ),
        ([(1, BOX)], [(1, 0.5, FAR), (1, 0.5, BOX)], Rules(ties="last"), [MISS, HIT], [HIT, MISS]),
        (
            [(1, BOX)],
            [(1, 0.504, FAR), (1, 0.496, BOX)],
            Rules(score_decimals=2, ties="last"),
            [MISS, HIT],
            [HIT, MISS],
        ),
        ([(1, BOX)], [(1, 0.9, FAR), (1, 0.8, BOX)], Rules(max_per_image=1), [MISS, HIT], [MISS]),
    ],
)
def test_a_switch_changes_what_it_names(objects, found, switch, before, after):
    assert outcomes(objects, found, Rules(switch.iou)) == before
    assert outcomes(objects, found, switch) == after


def test_the_cap_counts_all_classes_of_each_image():
    samples = [sample("a", (1, BOX)), sample("b", (2, BOX))]
    found = {
        "a": detected((1, 0.25, BOX), (2, 0.5, BOX), (2, 0.5, FAR)),
        "b": detected((2, 0.125, BOX)),
    }
    both = tabulate(samples, found, ("cat", "dog"))
    capped = match_tables(both, Rules(max_per_image=2)).detections
    assert capped.scores.tolist() == [0.5, 0.5, 0.125]


@pytest.mark.slow
@settings(max_examples=80, deadline=None)
@given(split_of(st.just(False)), st.sampled_from([0.3, 0.5, 0.75]))
def test_the_free_assignment_equals_the_slow_reference(split, iou):
    samples, detections = tabled(split)
    both = tabulate(samples, detections, ("cat", "dog"))
    ours = match_tables(both, Rules(iou, assignment="free"))
    for label, (matches, each) in enumerate(
        zip(ours.matches, score(ours).classes, strict=True), start=1
    ):
        rows, objects = reference.coco_matches(samples, detections, label, iou)
        assert (matches.outcomes == HIT).tolist() == [found for _, found in rows]
        if objects:
            ap = at_levels(each.precision, each.recall, COCO_LEVELS)
            assert ap == pytest.approx(reference.coco_ap(rows, objects), abs=1e-9)


def test_an_explanation_switches_each_convention_alone():
    # Hit, miss, hit, as in test_voc; the difficult object is not found.
    samples = [sample("a", (1, BOX), (1, FAR), (1, (0, 80, 10, 90), True))]
    found = {"a": detected((1, 0.9, BOX), (1, 0.8, (80, 0, 90, 10)), (1, 0.7, FAR))}
    explanation = explain(tabulate(samples, found, ("cat", "dog")), "voc07")
    assert explanation.map == pytest.approx(28 / 33, abs=1e-12)
    by_name = {(each.convention, each.value): each.map for each in explanation.variations}
    assert by_name["AP", "area under the curve"] == pytest.approx(5 / 6, abs=1e-12)
    assert by_name["AP", "101 points"] == pytest.approx((51 + 50 * 2 / 3) / 101, abs=1e-12)
    assert by_name["absent classes", "count as 0"] == pytest.approx(14 / 33, abs=1e-12)
    # Recall 1/3, 1/3, 2/3: levels 0 … 0.3 see 1 (4), 0.4 … 0.6 see 2/3 (3). 6/11
    assert by_name["difficult objects", "count as any other"] == pytest.approx(6 / 11, abs=1e-12)
    unchanged = by_name["detections", "the best 100 per image"]
    assert unchanged == explanation.map
    for each in explanation.variations:
        assert each.difference == pytest.approx(each.map - explanation.map, abs=1e-12)


@pytest.mark.parametrize("metric", ["voc07", "voc10", "coco"])
def test_an_explanation_starts_from_the_metric_and_names_the_others(metric):
    samples, found = [sample("a", (1, BOX))], {"a": detected((1, 0.9, BOX))}
    explanation = explain(tabulate(samples, found, ("cat",)), metric)
    curves = {"11 points", "area under the curve", "101 points"}
    assert curves - {explanation.curve} == {
        each.value for each in explanation.variations if each.convention == "AP"
    } - {"11 points of np.arange(0, 1.1, 0.1)"}
    np.testing.assert_allclose([each.map for each in explanation.variations], 1)
