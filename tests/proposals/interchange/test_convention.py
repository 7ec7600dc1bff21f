"""The meaning of four numbers, found by trying."""

from __future__ import annotations

import numpy as np
import pytest

from frcnn_cli.proposals.interchange.convention import (
    CONVENTIONS,
    BoxConvention,
    Example,
    choose_convention,
    try_convention,
)
from frcnn_cli.records import as_boxes

WIDTH, HEIGHT = 120, 80


def written(boxes, convention):
    """Writes xyxy pixel edges as a tool would that means `convention`; undoes `apply`."""
    rows = boxes.astype(np.float64)
    if convention.base == "zero":
        rows[:, 2:] -= 1
    elif convention.base == "one":
        rows[:, :2] += 1
    if convention.order in {"xywh", "yxhw"}:
        rows[:, 2:] = boxes[:, 2:] - boxes[:, :2]
    if convention.order in {"yxyx", "yxhw"}:
        rows = rows[:, [1, 0, 3, 2]]
    return rows


def images(convention, n=20):
    """Boxes in whole pixels, some on the border, the objects among them."""
    rng = np.random.default_rng(0)
    for _ in range(n):
        x = np.sort(rng.integers(0, WIDTH + 1, (60, 2)), axis=1)
        y = np.sort(rng.integers(0, HEIGHT + 1, (60, 2)), axis=1)
        boxes = np.stack((x[:, 0], y[:, 0], x[:, 1], y[:, 1]), axis=1)
        boxes = boxes[(np.diff(x)[:, 0] > 3) & (np.diff(y)[:, 0] > 3)]
        boxes = np.concatenate(([[0, 0, WIDTH, HEIGHT]], boxes))
        yield Example(written(boxes, convention), as_boxes(boxes[1:4]), WIDTH, HEIGHT)


@pytest.mark.parametrize("meant", CONVENTIONS, ids="-".join)
@pytest.mark.parametrize(
    "documented", [BoxConvention("xyxy", "edges"), BoxConvention("yxyx", "one")]
)
def test_the_meaning_is_found_against_the_documentation(meant, documented):
    chosen, trials = choose_convention(list(images(meant)), documented)
    assert chosen.convention == meant
    assert (chosen.misfits, chosen.recall, chosen.best_overlap) == (0, 1, 1)
    assert len(trials) == len(CONVENTIONS)


@pytest.mark.parametrize("convention", CONVENTIONS, ids="-".join)
def test_apply_undoes_what_was_written(convention):
    boxes = np.array([[3, 5, 20, 40], [0, 0, 1, 1]])
    np.testing.assert_array_equal(convention.apply(written(boxes, convention)), boxes)


def test_conventions_by_hand():
    rows = np.array([[2.0, 3.0, 10.0, 20.0]])
    expected = {
        ("xyxy", "zero"): [2, 3, 11, 21],
        ("xyxy", "one"): [1, 2, 10, 20],
        ("yxyx", "one"): [2, 1, 20, 10],
        ("xywh", "edges"): [2, 3, 12, 23],
        ("yxhw", "one"): [2, 1, 22, 11],
    }
    for convention, box in expected.items():
        np.testing.assert_array_equal(BoxConvention(*convention).apply(rows), [box])
    np.testing.assert_array_equal(rows, [[2, 3, 10, 20]])  # not written over


def test_without_objects_the_documented_reading_is_believed_if_it_can_be():
    meant = BoxConvention("yxyx", "one")
    bare = [each._replace(objects=as_boxes([])) for each in images(meant)]
    assert choose_convention(bare, meant)[0].convention == meant
    wrong = choose_convention(bare, BoxConvention("xywh", "edges"))[0]
    assert wrong.is_possible
    assert wrong.convention != BoxConvention("xywh", "edges")


def test_boxes_of_another_size_fit_under_no_reading():
    large = [each._replace(rows=each.rows * 4) for each in images(BoxConvention("xyxy", "edges"))]
    chosen, _ = choose_convention(large, BoxConvention("xyxy", "edges"))
    assert not chosen.is_possible


def test_a_trial_by_hand():
    example = Example(
        np.array([[0.0, 0, 10, 5], [0, 0, 130, 10], [5, 5, 5, 9]]),
        as_boxes([(0, 0, 10, 10), (50, 50, 60, 60)]),
        WIDTH,
        HEIGHT,
    )
    trial = try_convention(BoxConvention("xyxy", "edges"), [example])
    assert trial.misfits == pytest.approx(2 / 3)  # one outside, one without area
    assert trial.recall == 0.5
    assert trial.best_overlap == 0.25
