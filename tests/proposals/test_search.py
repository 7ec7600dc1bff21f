"""An image in, ordered boxes of its own pixels out."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from frcnn_cli.config import ProposalConfig
from frcnn_cli.proposals import opencv
from frcnn_cli.proposals.search import library, search
from support.images import blobs, flat


def test_boxes_are_distinct_finite_and_inside():
    image = blobs(130, 77)
    boxes = search(image, ProposalConfig())
    assert boxes.dtype == np.float32
    assert len(np.unique(boxes, axis=0)) == len(boxes)
    assert (boxes[:, :2] >= 0).all()
    assert (boxes[:, 2:] <= (130, 77)).all()
    assert (boxes[:, 2:] > boxes[:, :2]).all()


def test_the_set_is_the_engines_and_the_order_is_repeated():
    image = blobs()
    first, second = (search(image, ProposalConfig()) for _ in range(2))
    np.testing.assert_array_equal(first, second)
    expected = np.unique(opencv.search(image, "fast"), axis=0)
    np.testing.assert_array_equal(np.unique(first, axis=0), expected)
    assert len(first) == len(expected)


def test_the_seed_changes_the_order_and_not_the_set():
    image = blobs()
    first, second = (search(image, ProposalConfig(seed=seed)) for seed in (0, 1))
    assert not np.array_equal(first, second)
    np.testing.assert_array_equal(np.unique(first, axis=0), np.unique(second, axis=0))


def test_all_boxes_come_whatever_max_proposals_is():
    image = blobs()
    few = search(image, ProposalConfig(max_proposals=3))
    assert len(few) == len(search(image, ProposalConfig())) > 3


def test_a_large_image_is_shrunk_and_its_boxes_scaled_back():
    image = blobs(301, 200)
    boxes = search(image, ProposalConfig(max_side=100))
    small = cv2.resize(image, (100, 66), interpolation=cv2.INTER_AREA)
    expected = search(small, ProposalConfig(max_side=0))
    scale = np.array([301 / 100, 200 / 66] * 2)
    np.testing.assert_allclose(boxes, expected * scale, rtol=1e-6)
    assert boxes[:, 2:].max(axis=0).tolist() == [301, 200]


@pytest.mark.parametrize("image", [flat(), flat(1, 1), flat(3, 900), blobs(1, 1)])
def test_an_image_without_regions_gets_windows(image):
    boxes = search(image, ProposalConfig())
    height, width = image.shape[:2]
    assert [0, 0, width, height] in boxes.tolist()
    if width * height > 1:
        assert len(opencv.search(image, "fast")) < 8 <= len(boxes)


def test_library_names_versions():
    for engine, name in (("opencv", ""), ("fast", "fast 1, ")):
        config = ProposalConfig(engine=engine)
        assert library(config) == f"{name}opencv {cv2.__version__}, rules 2"


def test_tiles_find_in_a_window_what_it_shows_and_nothing_cut_off_by_its_edge():
    """Two windows of an image of 130 × 100: x from 0 to 100 and from 30 to 130."""
    image = blobs(130, 100)
    config = ProposalConfig(max_side=0, tiles=100, max_proposals=0)
    found = {tuple(box) for box in search(image, config).tolist()}
    plain = ProposalConfig(max_side=0)
    whole = {tuple(box) for box in search(image, plain).tolist()}
    left = search(np.ascontiguousarray(image[:, :100]), plain)
    right = search(np.ascontiguousarray(image[:, 30:]), plain)
    kept = {tuple(box) for box in left.tolist() if box[2] <= 99}
    kept |= {(x1 + 30, y1, x2 + 30, y2) for x1, y1, x2, y2 in right.tolist() if x1 >= 1}
    assert found == whole | kept
    assert len(kept - whole) > 5
    few = search(image, ProposalConfig(max_side=0, tiles=100, max_proposals=10))
    assert 10 < len(few) <= 30
    assert len(search(blobs(90, 90), ProposalConfig(tiles=100, max_proposals=10))) == 10
