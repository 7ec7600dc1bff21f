"""The order is a function of the set of boxes and the seed."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from frcnn_cli.proposals.order import best_first, unique_by_area


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
    boxes = np.array([[0, 0, side, side] for side in range(1, 9)], np.int32)
    assert best_first(boxes, 0)[:, 2].tolist() == [5, 6, 7, 8, 4, 2, 3, 1]


def test_large_boxes_tend_to_come_first():
    boxes = random_boxes(2000)
    ordered = best_first(boxes, 0)
    areas = (ordered[:, 2:] - ordered[:, :2]).prod(axis=1)
    assert areas[:200].mean() > 1.5 * areas.mean()
    assert areas[:200].min() < areas.mean()


@pytest.mark.parametrize("n", [0, 1])
def test_few_boxes(n):
    assert best_first(random_boxes(n), 0).shape == (n, 4)
