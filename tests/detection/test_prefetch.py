"""Preparation of images ahead of the network: order, sizes, failures."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from frcnn_cli.cache.store import Cache
from frcnn_cli.config import InputConfig, ProposalConfig
from frcnn_cli.detection import prefetch as prefetching
from frcnn_cli.detection.inputs import ImageInput
from frcnn_cli.detection.prefetch import ImageTask, Prepared, prefetch, prepare
from frcnn_cli.detection.views import views_of
from frcnn_cli.errors import FrcnnError
from frcnn_cli.records import as_boxes

SIZES = (InputConfig(100, 2000), InputConfig(200, 2000), InputConfig(400, 2000))


def test_each_box_is_seen_where_it_is_nearest_to_224_squared() -> None:
    """An image of short side 100: the factors are 1, 2 and 4, the areas 1, 4 and 16 times."""
    image = np.zeros((100, 250, 3), np.uint8)
    boxes = as_boxes(
        [
            [0, 0, 50, 60],  # 3,000 px²: 48,000 at the largest size, nearest to 50,176
            [0, 0, 110, 100],  # 11,000: 44,000 at the middle one
            [0, 0, 250, 100],  # 25,000 as it is; 100,000 at the middle one is further away
            [10, 10, 12, 12],  # the smallest is nearest at the largest
        ]
    )
    views = views_of(image, boxes, SIZES)
    assert [view.pixels.shape[:2] for view in views] == [(100, 250), (200, 500), (400, 1000)]
    assert [view.places.tolist() for view in views] == [[2], [1], [0, 3]]
    np.testing.assert_allclose(views[2].rois, boxes[[0, 3]] * 4)


def test_a_size_for_no_box_is_left_out_but_one_stays() -> None:
    image = np.zeros((100, 250, 3), np.uint8)
    assert len(views_of(image, as_boxes([[0, 0, 110, 100]]), SIZES)) == 1
    (only,) = views_of(image, as_boxes([]), SIZES)
    assert only.rois.shape == (0, 4)


def tasks(scenes: Path, cache: Path, damaged: Path) -> list[ImageTask]:
    images = sorted((scenes / "JPEGImages").glob("*.jpg"))[:3]
    damaged.write_bytes(b"not an image")
    paths = [images[0], damaged, *images[1:]]
    single = ProposalConfig(preset="single")
    sizes = (InputConfig(96, 160),)
    return [ImageTask(ImageInput(path), single, Cache(cache), sizes) for path in paths]


@pytest.mark.slow
def test_processes_give_the_same_in_the_same_order(
    scenes: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With pixels kept for none that waits, too: they are then made again."""
    here = [prepare(each) for each in tasks(scenes, tmp_path / "a", tmp_path / "x.jpg")]
    monkeypatch.setattr(prefetching, "MAX_WAITING", 0)
    there = list(prefetch(tasks(scenes, tmp_path / "b", tmp_path / "x.jpg"), 3))
    assert isinstance(here[1], FrcnnError)
    assert str(there[1]) == str(here[1])
    for one, other in zip(here, there, strict=True):
        if isinstance(one, Prepared):
            assert isinstance(other, Prepared)
            assert one.size == other.size
            np.testing.assert_array_equal(one.proposals, other.proposals)
            np.testing.assert_array_equal(one.views[0].pixels, other.views[0].pixels)


def test_answers_wait_for_their_turn_without_their_pixels(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(prefetching, "MAX_WAITING", 1)
    task = ImageTask(ImageInput(Path("a.jpg")), ProposalConfig(), None, SIZES)
    view = views_of(np.zeros((9, 9, 3), np.uint8), as_boxes([]), SIZES)
    answers = [(n, task, Prepared((n, 9), as_boxes([]), view, {})) for n in (2, 1, 3, 0, 4)]
    found = [each for _, each in prefetching.in_order(answers)]
    assert [each and each.size[0] for each in found] == [0, None, 2, None, 4]


def test_a_box_is_seen_in_the_first_tile_that_holds_it_or_else_in_the_whole_image() -> None:
    """Tiles of 150 × 100: x from 0 and from 100. The network takes images of short side 100."""
    image = np.arange(250, dtype=np.uint8)[None, :, None].repeat(100, 0).repeat(3, 2)
    boxes = as_boxes([[110, 20, 130, 40], [200, 0, 250, 100], [40, 10, 210, 60]])
    left, right, whole = views_of(image, boxes, SIZES[:1], 150)
    assert [view.places.tolist() for view in (left, right, whole)] == [[0], [1], [2]]
    np.testing.assert_array_equal(right.pixels, image[:, 100:])
    np.testing.assert_array_equal(right.rois, [[100, 0, 150, 100]])
    np.testing.assert_array_equal(whole.rois, boxes[2:])
