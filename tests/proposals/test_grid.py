"""Sliding windows cover the image, whatever its shape."""

from __future__ import annotations

import numpy as np
import pytest

from frcnn_cli.proposals.grid import tiles, windows


@pytest.mark.parametrize("size", [(1, 1), (2, 1), (1, 500), (500, 3), (500, 375), (7, 7)])
def test_windows_are_distinct_and_inside(size):
    width, height = size
    boxes = windows(width, height)
    assert boxes.dtype == np.int32
    assert len(np.unique(boxes, axis=0)) == len(boxes)
    assert (boxes[:, :2] >= 0).all()
    assert (boxes[:, 2:] <= size).all()
    assert (boxes[:, 2:] > boxes[:, :2]).all()
    assert [0, 0, width, height] in boxes.tolist()


def test_any_large_enough_object_is_met_by_a_window():
    width, height = 400, 300
    boxes = windows(width, height).astype(float)
    rng = np.random.default_rng(0)
    for _ in range(200):
        side = rng.uniform(0.3, 1, 2) * (width, height)
        corner = rng.uniform(0, 1, 2) * ((width, height) - side)
        low = np.maximum(boxes[:, :2], corner)
        high = np.minimum(boxes[:, 2:], corner + side)
        common = np.clip(high - low, 0, None).prod(axis=1)
        union = (boxes[:, 2:] - boxes[:, :2]).prod(axis=1) + side.prod() - common
        assert (common / union).max() > 0.3


def test_an_image_gets_some_hundred_windows():
    assert 100 < len(windows(500, 375)) < 600


@pytest.mark.parametrize("size", [(601, 600), (4000, 3000), (1000, 200), (650, 2000)])
def test_tiles_cover_the_image_and_hold_any_object_of_a_quarter_of_their_side(size):
    width, height = size
    found = tiles(width, height, 600)
    assert (found[:, 2:] - found[:, :2] == np.minimum(size, 600)).all()
    assert (found >= 0).all()
    assert (found[:, 2:] <= size).all()
    rng = np.random.default_rng(0)
    for _ in range(300):
        side = np.minimum(size, rng.integers(1, 151, 2))
        low = rng.integers(0, size - side + 1)
        inside = (found[:, :2] <= low) & (low + side <= found[:, 2:])
        assert inside.all(axis=1).any()


def test_an_image_that_fits_into_a_tile_has_none():
    assert len(tiles(600, 600, 600)) == len(tiles(4000, 3000, 0)) == 0
    assert len(tiles(601, 600, 600)) == 2
