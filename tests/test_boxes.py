"""Box arithmetic: numbers by hand, the same in NumPy and torch, and what undoes what."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from frcnn_cli import boxes


def numpy_boxes(rows):
    return np.array(rows, np.float32).reshape(-1, 4)


def torch_boxes(rows):
    return torch.tensor(rows, dtype=torch.float32).reshape(-1, 4)


BOTH = pytest.mark.parametrize("make", [numpy_boxes, torch_boxes])

COORDINATE = st.floats(0, 900, width=32)
SIDE = st.floats(1, 600, width=32)
BOX = st.builds(lambda x, y, w, h: (x, y, x + w, y + h), COORDINATE, COORDINATE, SIDE, SIDE)
BOXES = st.lists(BOX, min_size=1, max_size=6)


@BOTH
def test_area(make):
    # VOC's 1-based inclusive 1..2 × 1..3 is (0, 0, 2, 3) here, and has 2 × 3 pixels either way.
    assert boxes.area(make([[0, 0, 2, 3], [5, 5, 5, 9]])).tolist() == [6, 0]


@BOTH
def test_iou(make):
    a = make([[0, 0, 10, 10], [0, 0, 0, 0]])
    b = make([[0, 0, 10, 10], [5, 0, 15, 10], [10, 0, 20, 10], [2, 2, 4, 7], [0, 0, 0, 0]])
    # The same; 50 shared of 150; an edge alone; 10 of 100 inside; empty with anything.
    expected = [[1, 50 / 150, 0, 10 / 100, 0], [0, 0, 0, 0, 0]]
    np.testing.assert_allclose(np.asarray(boxes.iou(a, b)), expected, rtol=1e-6)


@BOTH
def test_iou_without_boxes(make):
    assert boxes.iou(make([]), make([[0, 0, 1, 1]])).shape == (0, 1)
    assert boxes.iou(make([[0, 0, 1, 1]]), make([])).shape == (1, 0)


@BOTH
def test_clip(make):
    inside = boxes.clip(make([[-5, 3, 30, 40], [50, 60, 70, 80]]), 20, 10)
    assert inside.tolist() == [[0, 3, 20, 10], [20, 10, 20, 10]]


@BOTH
def test_flip(make):
    assert boxes.flip(make([[1, 2, 4, 8]]), 10).tolist() == [[6, 2, 9, 8]]


@BOTH
def test_encode_by_hand(make):
    # From centre (5, 10), 10 × 20 to centre (10, 10), 20 × 20: half a width right, twice as wide.
    deltas = boxes.encode(make([[0, 0, 10, 20]]), make([[0, 0, 20, 20]]))
    np.testing.assert_allclose(np.asarray(deltas), [[0.5, 0, math.log(2), 0]], atol=1e-6)


@BOTH
def test_decode_by_hand(make):
    # A tenth of the height down and half as high: centre (5, 12), 10 × 10.
    decoded = boxes.decode(make([[0, 0, 10, 20]]), make([[0, 0.1, 0, math.log(0.5)]]))
    np.testing.assert_allclose(np.asarray(decoded), [[0, 7, 10, 17]], atol=1e-5)


@BOTH
def test_decode_takes_deltas_of_every_class(make):
    rois, deltas = make([[0, 0, 10, 20], [5, 5, 9, 9]]), make([[0] * 4] * 6).reshape(2, 3, 4)
    decoded = boxes.decode(rois[:, None], deltas)
    assert decoded.shape == (2, 3, 4)
    assert decoded[1, 2].tolist() == [5, 5, 9, 9]


@BOTH
def test_decode_of_huge_deltas_is_finite(make):
    decoded = np.asarray(boxes.decode(make([[0, 0, 16, 16]]), make([[0, 0, 1e4, 1e4]])))
    np.testing.assert_allclose(decoded, [[-492, -492, 508, 508]], rtol=1e-5)


@given(BOXES, st.data())
def test_decode_undoes_encode(rois, data):
    gt_boxes = data.draw(st.lists(BOX, min_size=len(rois), max_size=len(rois)))
    rois, gt_boxes = (np.array(each, np.float64) for each in (rois, gt_boxes))
    # Beyond 62.5-fold, decoding is capped.
    ratio = (gt_boxes[:, 2:] - gt_boxes[:, :2]) / (rois[:, 2:] - rois[:, :2])
    near = (ratio < 62).all(1)
    decoded = boxes.decode(rois, boxes.encode(rois, gt_boxes))
    np.testing.assert_allclose(decoded[near], gt_boxes[near], atol=1e-6)


@given(BOXES)
def test_flipping_twice_changes_nothing(rows):
    once = boxes.flip(np.array(rows, np.float64), 1500.0)
    np.testing.assert_allclose(boxes.flip(once, 1500.0), rows, atol=1e-9)
    np.testing.assert_allclose(boxes.area(once), boxes.area(np.array(rows, np.float64)), rtol=1e-9)


@given(BOXES, st.integers(1, 900), st.integers(1, 900))
def test_clipping_keeps_inside_and_twice_is_once(rows, width, height):
    once = boxes.clip(numpy_boxes(rows), width, height)
    assert (once >= 0).all()
    assert (once[:, 0::2] <= width).all()
    assert (once[:, 1::2] <= height).all()
    np.testing.assert_array_equal(boxes.clip(once, width, height), once)


@given(BOXES, BOXES)
def test_iou_is_a_fraction_and_symmetric(a, b):
    overlap = boxes.iou(numpy_boxes(a), numpy_boxes(b))
    assert ((overlap >= 0) & (overlap <= 1 + 1e-5)).all()
    np.testing.assert_allclose(overlap, boxes.iou(numpy_boxes(b), numpy_boxes(a)).T, rtol=1e-5)


@given(BOXES)
def test_numpy_equals_torch(rows):
    ours, theirs = numpy_boxes(rows), torch_boxes(rows)
    pairs = [
        (boxes.area(ours), boxes.area(theirs)),
        (boxes.iou(ours, ours[::-1].copy()), boxes.iou(theirs, theirs.flip(0))),
        (boxes.clip(ours, 300, 200), boxes.clip(theirs, 300, 200)),
        (boxes.flip(ours, 300), boxes.flip(theirs, 300)),
        (boxes.encode(ours, ours[::-1].copy()), boxes.encode(theirs, theirs.flip(0))),
        (boxes.decode(ours, ours / 1000), boxes.decode(theirs, theirs / 1000)),
    ]
    for ours_made, theirs_made in pairs:
        assert isinstance(theirs_made, torch.Tensor)
        assert ours_made.dtype == np.float32
        assert theirs_made.dtype == torch.float32
        np.testing.assert_allclose(ours_made, theirs_made.numpy(), rtol=1e-4, atol=1e-3)
