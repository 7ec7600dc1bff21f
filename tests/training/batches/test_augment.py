"""Images, boxes and proposals move together; nothing is drawn but from the generator."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from frcnn_cli.config import AugmentationConfig
from frcnn_cli.proposals.grid import tiles
from frcnn_cli.training.batches.augment import (
    TrainingExample,
    color_jitter,
    crop,
    random_flip_crop,
    random_tile,
    recolour,
)

OBJECTS = [[10, 10, 30, 30], [60, 10, 80, 50]]
PROPOSALS = [
    [60, 10, 80, 50],
    [58, 10, 69, 50],
    [0, 0, 50, 40],
    [12, 10, 30, 30],
    [40, 40, 60, 70],
]


def scene() -> TrainingExample:
    """100 × 80 pixels, black, the first object of colour 1 and the second of colour 2."""
    pixels = np.zeros((80, 100, 3), np.uint8)
    for label, (x1, y1, x2, y2) in enumerate(OBJECTS, 1):
        pixels[y1:y2, x1:x2] = label
    boxes, proposals = (torch.tensor(each).float() for each in (OBJECTS, PROPOSALS))
    return TrainingExample(pixels, proposals, boxes, torch.tensor([1, 2]))


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def test_a_crop_by_hand() -> None:
    """70 pixels wide it shows 10 of the second object's 20, and 20 of the last region's 30 rows."""
    cropped = crop(scene(), (5, 5, 70, 60), 0.5)
    assert cropped.pixels.shape == (55, 65, 3)
    assert cropped.labels.tolist() == [1, 2]
    assert cropped.boxes.tolist() == [[5, 5, 25, 25], [55, 5, 65, 45]]
    assert cropped.proposals.tolist() == [
        [55, 5, 65, 45],
        [53, 5, 64, 45],
        [0, 0, 45, 35],  # 45 · 35 of 50 · 40
        [7, 5, 25, 25],
        [35, 35, 55, 55],
    ]


def test_what_is_left_of_a_dropped_object_is_not_background() -> None:
    """A pixel less shows 9 of its 20: the first region goes with it, the second is on its rest."""
    cropped = crop(scene(), (0, 0, 69, 60), 0.5)
    assert cropped.labels.tolist() == [1]
    assert cropped.boxes.tolist() == OBJECTS[:1]
    assert cropped.proposals.tolist() == [*PROPOSALS[2:4], [40, 40, 60, 60]]


@given(st.integers(0, 2**32), st.booleans())
def test_boxes_stay_on_their_objects(seed: int, flipped: bool) -> None:
    config = AugmentationConfig(crop_prob=1.0)
    made = random_flip_crop(scene(), config, 0.5, generator(seed), flipped=flipped)
    height, width = made.pixels.shape[:2]
    assert 50 <= width <= 100
    assert 40 <= height <= 80
    assert len(made.boxes) == len(made.labels) >= 1
    assert len(made.proposals) >= 1
    for (x1, y1, x2, y2), label in zip(made.boxes.int().tolist(), made.labels, strict=True):
        assert (made.pixels[y1:y2, x1:x2] == label.item()).all()
        assert (x2 - x1) * (y2 - y1) * 2 >= (400, 800)[label - 1]
    for boxes in (made.boxes, made.proposals):
        assert (boxes >= 0).all()
        assert (boxes[:, 2:] <= torch.tensor([width, height])).all()
        assert (boxes[:, 2:] > boxes[:, :2]).all()


def test_crops_differ_and_repeat() -> None:
    config = AugmentationConfig(crop_prob=1.0, flip_prob=0.0)
    shapes = {
        random_flip_crop(scene(), config, 0.5, generator(seed)).pixels.shape for seed in range(20)
    }
    assert len(shapes) > 15
    one, same = (random_flip_crop(scene(), config, 0.5, generator(3)) for _ in range(2))
    assert np.array_equal(one.pixels, same.pixels)
    assert torch.equal(one.proposals, same.proposals)


def test_an_object_that_no_crop_shows_enough_of_leaves_the_image_whole() -> None:
    """The object is all of it: a crop would have to be at least half of the image."""
    whole = torch.tensor([[0.0, 0, 100, 80]])
    full = scene()._replace(boxes=whole, proposals=whole, labels=torch.tensor([1]))
    sizes = set()
    for seed in range(40):
        made = random_flip_crop(full, AugmentationConfig(crop_prob=1.0), 0.5, generator(seed))
        sizes.add(made.pixels.shape[0] * made.pixels.shape[1])
        assert len(made.boxes) == 1
    assert min(sizes) >= 4000


def test_an_image_without_objects_is_cropped_too() -> None:
    empty = scene()._replace(boxes=torch.zeros(0, 4), labels=torch.zeros(0, dtype=torch.long))
    shapes = {
        random_flip_crop(
            empty, AugmentationConfig(crop_prob=1.0), 0.5, generator(seed)
        ).pixels.shape
        for seed in range(5)
    }
    assert len(shapes) > 1


def test_what_is_off_draws_nothing() -> None:
    off, one_draw = generator(), generator()
    torch.rand((), generator=one_draw)
    made = random_flip_crop(scene(), AugmentationConfig(flip_prob=0.0), 0.5, off)
    color_jitter(made.pixels, 0.0, off)
    assert np.array_equal(made.pixels, scene().pixels)
    assert torch.equal(off.get_state(), one_draw.get_state())


@pytest.mark.parametrize(
    ("factors", "before", "after"),
    [
        ((1, 1, 1), [[7, 8, 250], [0, 255, 3]], [[7, 8, 250], [0, 255, 3]]),
        ((1.5, 1, 1), [[10, 100, 200]], [[15, 150, 255]]),
        ((1, 0.5, 1), [[100, 100, 100], [200, 200, 200]], [[125, 125, 125], [175, 175, 175]]),
        ((1, 1, 0), [[255, 0, 0]], [[76, 76, 76]]),  # 0.299 · 255
        # Grey 0.587 · 100 = 58.7: half as far from it.
        ((1, 1, 0.5), [[0, 100, 0]], [[29, 79, 29]]),
        ((0.5, 0, 1), [[100, 100, 100], [200, 200, 200]], [[75, 75, 75], [75, 75, 75]]),
    ],
)
def test_colours_by_hand(
    factors: tuple[float, ...],
    before: list[list[int]],
    after: list[list[int]],
) -> None:
    assert recolour(np.array([before], np.uint8), *factors).tolist() == [after]


def test_a_small_strength_changes_little() -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (20, 30, 3), np.uint8)
    changed = color_jitter(pixels, 0.1, generator())
    difference = np.abs(changed.astype(int) - pixels)
    assert 0 < difference.max() <= 0.1 * 255 * 3 + 1
    assert np.array_equal(changed, color_jitter(pixels, 0.1, generator()))


@pytest.mark.parametrize(
    ("objects", "left_out"), [([0, 1], set()), ([1], {(0, 0, 60, 60), (0, 20, 60, 80)})]
)
def test_tiles_show_what_detection_sees(objects: list[int], left_out: set) -> None:
    """One window of 60 or the whole at a time, but none without an object, if there is one."""
    views = {tuple(window) for window in [*tiles(100, 80, 60).tolist(), (0, 0, 100, 80)]}
    pixels = np.stack([*np.meshgrid(np.arange(100), np.arange(80)), np.zeros((80, 100))], axis=2)
    example = scene()._replace(pixels=pixels.astype(np.uint8))
    example = example._replace(boxes=example.boxes[objects], labels=example.labels[objects])
    seen = set()
    for seed in range(60):
        made = random_tile(example, 60, 0.5, generator(seed))
        x1, y1 = made.pixels[0, 0, :2].tolist()
        window = (x1, y1, x1 + made.pixels.shape[1], y1 + made.pixels.shape[0])
        seen.add(window)
        expected = crop(example, window, 0.5)
        assert torch.equal(made.boxes, expected.boxes)
        assert torch.equal(made.proposals, expected.proposals)
    assert len(views) == 5
    assert seen == views - left_out


def test_a_tile_that_is_not_needed_draws_nothing() -> None:
    for side in (0, 100):
        drawn, untouched = generator(), generator()
        assert random_tile(scene(), side, 0.5, drawn).pixels.shape == (80, 100, 3)
        assert torch.equal(drawn.get_state(), untouched.get_state())
