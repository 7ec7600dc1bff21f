"""The order in which detections are matched, and what a match records."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from frcnn_cli.evaluation.metrics.matching import MatchOutcome
from frcnn_cli.evaluation.metrics.tables import decreasing_order
from frcnn_cli.evaluation.metrics.voc import match_split
from support.samples import detected, sample

SCORES = st.one_of(
    st.sampled_from([0.0, -0.0, 0.5, 1.0]),
    st.floats(width=32, allow_nan=False, allow_infinity=False),
)


@given(arrays.arrays(np.float32, st.integers(0, 30), elements=SCORES))
def test_falling_order_is_the_stable_one(scores):
    np.testing.assert_array_equal(decreasing_order(scores), np.argsort(-scores, kind="stable"))


def test_a_match_points_into_the_tables():
    samples = [
        sample("a", (2, (0, 0, 10, 10)), (1, (0, 0, 8, 10)), (1, (50, 50, 60, 60), True)),
        sample("b"),
    ]
    found = {
        "a": detected(
            (1, 0.9, (50, 50, 60, 60)),
            (1, 0.8, (0, 0, 10, 10)),
            (1, 0.7, (0, 0, 8, 9)),
            (1, 0.6, (8, 0, 12, 10)),
        ),
        "b": detected((1, 0.85, (0, 0, 10, 10))),
    }
    split = match_split(samples, found, ("cat", "dog"))
    cats, dogs = split.matches
    # In decreasing score: a's first, b's only one, then the rest of a. Row 4 of the table is b's.
    assert cats.detections.tolist() == [0, 4, 1, 2, 3]
    # Its photograph has no object; the last one only touches the edge of one.
    assert cats.objects.tolist() == [2, -1, 1, 1, -1]
    # 8 × 10 of 10 × 10, and 8 × 9 of 8 × 10
    np.testing.assert_allclose(cats.iou, [1, 0, 0.8, 0.9, 0], atol=1e-12)
    assert cats.outcomes.tolist() == [
        MatchOutcome.IGNORED,
        MatchOutcome.FALSE_POSITIVE,
        MatchOutcome.TRUE_POSITIVE,
        MatchOutcome.FALSE_POSITIVE,
        MatchOutcome.FALSE_POSITIVE,
    ]
    assert len(dogs.detections) == 0
