"""The order in which detections are matched, and what a match records."""

from __future__ import annotations

import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from frcnn_cli.detection.formats.registry import read_detections
from frcnn_cli.evaluation.metrics.matching import MatchOutcome
from frcnn_cli.evaluation.metrics.tables import decreasing_order
from frcnn_cli.evaluation.metrics.voc import evaluate, match_split
from support.samples import detected, known, sample

SCORES = st.one_of(
    st.sampled_from([0.0, -0.0, 0.5, 1.0]),
    st.floats(width=32, allow_nan=False, allow_infinity=False),
)


CLOSE = st.one_of(
    st.sampled_from([0.0, -0.0, 0.999999990, 0.999999999, 1.0, 1e300]),
    st.floats(allow_nan=False, allow_infinity=False),
)


@given(
    st.one_of(
        arrays.arrays(np.float32, st.integers(0, 30), elements=SCORES),
        arrays.arrays(np.float64, st.integers(0, 30), elements=CLOSE),
    )
)
def test_decreasing_order_is_the_stable_one(scores):
    np.testing.assert_array_equal(decreasing_order(scores), np.argsort(-scores, kind="stable"))


@pytest.mark.parametrize(
    ("wrong", "right", "first", "ap"),
    [
        (0.5, 0.5, "wrong", 0.5),
        (0.5, 0.5, "right", 1.0),
        (0.999999990, 0.999999999, "wrong", 1.0),  # equal in float32
    ],
)
@pytest.mark.parametrize("kind", ["coco", "frcnn", "voc"])
def test_equal_scores_keep_the_order_of_the_file(tmp_path, kind, wrong, right, first, ap):
    samples = [sample("1", (1, (0, 0, 10, 10))), sample("2")]
    rows = [("2", wrong), ("1", right)][:: 1 if first == "wrong" else -1]
    path = tmp_path / "found"
    if kind == "voc":
        path.mkdir()
        lines = (f"{image} {score:.9f} 1 1 10 10\n" for image, score in rows)
        (path / "comp4_det_test_cat.txt").write_text("".join(lines))
    elif kind == "coco":
        path.write_text(
            json.dumps(
                [
                    {"image_id": int(each), "category_id": 1, "bbox": [0, 0, 10, 10], "score": s}
                    for each, s in rows
                ]
            )
        )
    else:
        images = [
            {
                "file": f"{each}.jpg",
                "width": 500,
                "height": 375,
                "detections": [{"label": "cat", "score": s, "box": [0, 0, 10, 10]}],
            }
            for each, s in rows
        ]
        path.write_text(json.dumps({"schema": "frcnn.detections/1", "images": images}))
    _, found = read_detections(path, known(samples, ("cat",)))
    assert evaluate(samples, found, ("cat",)).mean_ap("voc10") == ap


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
    # Its image has no object; the last one only touches the edge of one.
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
