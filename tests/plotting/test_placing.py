"""Places of label chips."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from frcnn_cli.plotting.chips import Chip
from frcnn_cli.plotting.placing import MOST_HIDDEN, place

PICTURE = (300, 200)


def chip(width=60, height=16):
    return Chip(width, height, np.zeros((height, width), np.float32))


def rects(placed):
    return [None if each is None else each.rect for each in placed]


def test_a_free_chip_sits_on_the_top_left_of_its_box():
    assert rects(place([[chip()]], [(50, 80, 150, 160)], PICTURE, line=2)) == [(50, 66, 110, 82)]


def test_at_the_top_of_the_picture_it_goes_inside():
    assert rects(place([[chip()]], [(50, 0, 150, 160)], PICTURE, line=2)) == [(50, 0, 110, 16)]


def test_the_second_of_equal_boxes_dodges():
    first, second = rects(place([[chip()], [chip()]], [(50, 80, 150, 160)] * 2, PICTURE, line=2))
    assert first == (50, 66, 110, 82)
    assert overlap(first, second) == 0


def test_where_there_is_no_room_the_shorter_chip_is_taken_and_then_none():
    box = (0, 0, 60, 33)
    variants = [[chip(60)], [chip(60, 20), chip(40, 16)], [chip(60)]]
    placed = place(variants, [box] * 3, (60, 33), line=1)
    assert placed[0].chip.width == 60
    assert placed[1] is None  # chips cover enough of so small a picture
    assert placed[2] is None


def test_nothing_to_place():
    assert place([], [], PICTURE, line=2) == []
    assert place([[]], [(0, 0, 9, 9)], PICTURE, line=2) == [None]


def overlap(a, b):
    width, height = min(a[2], b[2]) - max(a[0], b[0]), min(a[3], b[3]) - max(a[1], b[1])
    return max(width, 0) * max(height, 0)


BOXES = st.builds(
    lambda x, y, w, h: (x, y, min(x + w, 300), min(y + h, 200)),
    st.integers(0, 299),
    st.integers(0, 199),
    st.integers(1, 300),
    st.integers(1, 200),
)


@given(st.lists(BOXES, max_size=25), st.integers(8, 90))
def test_chips_stay_inside_and_apart(boxes, width):
    made = rects(place([[chip(width)]] * len(boxes), boxes, PICTURE, line=2))
    placed = [each for each in made if each is not None]
    for x1, y1, x2, y2 in placed:
        assert 0 <= x1 < x2 <= 300
        assert 0 <= y1 < y2 <= 200
        assert (x2 - x1, y2 - y1) == (width, 16)
    for i, one in enumerate(placed):
        covered = sum(overlap(one, other) for other in placed[:i])
        assert covered <= MOST_HIDDEN * width * 16
    if boxes:
        assert made[0] is not None
