"""The order is a function of the set of boxes and the seed."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from frcnn_cli.proposals import order
from frcnn_cli.proposals.order import best_first, keeps_apart, unique_by_area


def random_boxes(n: int, seed: int = 0):
    corners = np.random.default_rng(seed).integers(0, 400, (n, 2, 2))
    low, high = corners.min(axis=1), corners.max(axis=1) + 1
    return np.concatenate((low, high), axis=1).astype(np.int32)


def test_canonical_order_by_hand():
    boxes = np.array([[5, 0, 6, 1], [0, 0, 2, 2], [0, 0, 1, 1], [0, 0, 2, 2]], np.int32)
    np.testing.assert_array_equal(unique_by_area(boxes), [[0, 0, 2, 2], [0, 0, 1, 1], [5, 0, 6, 1]])


@given(st.integers(0, 60), st.integers(0, 2**32), st.randoms())
def test_the_order_does_not_depend_on_the_order_that_came_in(n, seed, random):
    boxes = random_boxes(n)
    shuffled = list(range(n)) * 2
    random.shuffle(shuffled)
    ordered = best_first(boxes, seed)
    np.testing.assert_array_equal(ordered, best_first(boxes[shuffled], seed))
    np.testing.assert_array_equal(np.unique(ordered, axis=0), np.unique(boxes, axis=0))


def test_another_seed_is_another_order():
    boxes = random_boxes(100)
    assert not np.array_equal(best_first(boxes, 0), best_first(boxes, 1))


def test_the_order_is_pinned():
    # Whoever changes the rule raises `_RULES` of search.py: cached lists keep the old order.
    # By rank 8 6 5 7 4 3 2 1. IoU is the square of the ratio: 6 and 7 overlap 8 by more than 1/2,
    # and 4 overlaps 5; by more than 7/10, only 7 overlaps a better one.
    boxes = np.array([[0, 0, side, side] for side in range(1, 9)], np.int32)
    assert best_first(boxes, 0)[:, 2].tolist() == [8, 5, 3, 2, 1, 6, 4, 7]


def test_boxes_are_kept_apart_by_hand():
    boxes = np.array([[0, 0, 2, 1], [0, 0, 1, 1], [0, 0, 3, 1], [5, 0, 6, 1]], np.int32)
    # IoU with the first: exactly 1/2, which is not above it; 2/3; 0. The third overlaps the second
    # by 1/3.
    assert keeps_apart(boxes, 5).tolist() == [True, True, False, True]
    assert keeps_apart(boxes, 7).tolist() == [True, True, True, True]


@given(st.integers(0, 200), st.integers(0, 2**32), st.sampled_from([5, 7]))
def test_boxes_are_kept_apart_as_one_by_one(n, seed, tenths):
    corners = np.random.default_rng(seed).integers(0, 12, (n, 2, 2))
    boxes = np.concatenate((corners.min(axis=1), corners.max(axis=1) + 1), axis=1).astype(np.int32)
    kept: list[int] = []
    for i, (x1, y1, x2, y2) in enumerate(boxes.tolist()):
        for u1, v1, u2, v2 in boxes[kept].tolist():
            common = max(0, min(x2, u2) - max(x1, u1)) * max(0, min(y2, v2) - max(y1, v1))
            union = (x2 - x1) * (y2 - y1) + (u2 - u1) * (v2 - v1) - common
            if Fraction(common, union) > Fraction(tenths, 10):
                break
        else:
            kept.append(i)
    assert np.flatnonzero(keeps_apart(boxes, tenths)).tolist() == kept
    best = np.concatenate((boxes[kept], np.delete(boxes, kept, axis=0)))
    np.testing.assert_array_equal(
        keeps_apart(best, tenths + 1, known=len(kept)), keeps_apart(best, tenths + 1)
    )


def test_boxes_of_a_gigapixel_do_not_overflow():
    side = 60_000
    boxes = np.array([[0, 0, side, side], [0, 0, side, side - 1], [0, 0, side, 9]], np.int32)
    assert keeps_apart(boxes, 7).tolist() == [True, False, True]


def test_a_crowd_keeps_its_rank_where_it_is_too_large_to_compare(monkeypatch):
    monkeypatch.setattr(order, "CROWD", 500)
    boxes = random_boxes(800)
    ordered = best_first(boxes, 0)
    np.testing.assert_array_equal(np.unique(ordered, axis=0), np.unique(boxes, axis=0))
    firsts = keeps_apart(ordered[:500], 5)
    assert (np.diff(firsts.astype(int)) <= 0).all()  # all that are kept apart, then the others
    assert not keeps_apart(ordered, 5)[:500].all()


def test_large_boxes_tend_to_come_first():
    # Side by side, so that none is put off because it overlaps another.
    rights = np.cumsum(np.random.default_rng(0).permutation(2000) + 1).astype(np.int32)
    lefts = np.append(0, rights[:-1]).astype(np.int32)
    zeros = np.zeros_like(lefts)
    widths = best_first(np.stack((lefts, zeros, rights, zeros + 1), axis=1), 0) @ [-1, 0, 1, 0]
    assert widths[:200].mean() > 1.5 * widths.mean()
    assert widths[:200].min() < np.sort(widths)[-400]


@pytest.mark.parametrize("n", [0, 1])
def test_few_boxes(n):
    np.testing.assert_array_equal(best_first(random_boxes(n), 0), random_boxes(n))
