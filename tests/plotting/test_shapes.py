"""Anti-aliased rectangles on a blank canvas."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from frcnn_cli.plotting.shapes import blend, fill, stroke

WHITE = (255, 255, 255)


def blank(width=40, height=30):
    return np.zeros((height, width, 3), np.uint8)


def test_a_square_fill_is_exact():
    canvas = blank()
    fill(canvas, (3, 4, 10, 8), 0, WHITE)
    assert (canvas[4:8, 3:10] == 255).all()
    assert canvas.sum() == 7 * 4 * 3 * 255


def test_a_round_fill_has_the_area_of_its_corners():
    canvas = blank()
    fill(canvas, (5, 5, 25, 25), 10, WHITE)  # a disc of radius 10
    assert abs(canvas[..., 0].sum() / 255 - np.pi * 100) < 1.5
    assert set(np.unique(canvas)) > {0, 255}  # some pixels are in between


def test_a_stroke_has_its_width_and_leaves_the_inside():
    canvas = blank()
    stroke(canvas, (5, 5, 35, 25), 0, 2, WHITE)
    assert canvas[..., 0].sum() / 255 == 30 * 20 - 26 * 16
    assert (canvas[7:23, 7:33] == 0).all()


def test_opacity_mixes():
    canvas = blank()
    stroke(canvas, (0, 0, 40, 30), 0, 30, WHITE, opacity=0.4)
    assert (canvas == 102).all()


def test_blend_follows_its_coverage():
    canvas = blank()
    blend(canvas, 1, 2, np.array([[0, 0.5, 1]], np.float32), WHITE)
    assert canvas[2, :5, 0].tolist() == [0, 0, 128, 255, 0]


CORNERS = st.tuples(
    st.integers(-20, 60), st.integers(-20, 60), st.integers(1, 60), st.integers(1, 60)
)


@given(CORNERS, st.floats(0, 20), st.integers(1, 12))
def test_nothing_outside_is_touched_wherever_it_lies(corner, radius, width):
    x, y, w, h = corner
    canvas = blank()
    stroke(canvas, (x, y, x + w, y + h), radius, width, WHITE)
    fill(canvas, (x, y, x + w, y + h), radius, WHITE)
    canvas[max(y, 0) : max(y + h, 0), max(x, 0) : max(x + w, 0)] = 0
    assert not canvas.any()


@given(CORNERS, st.floats(0, 20), st.integers(1, 12))
def test_an_outline_is_a_fill_without_its_inside(corner, radius, width):
    x, y, w, h = corner
    radius = min(radius, w / 2, h / 2)
    outline, outer, inner = blank(), blank(), blank()
    stroke(outline, (x, y, x + w, y + h), radius, width, WHITE)
    fill(outer, (x, y, x + w, y + h), radius, WHITE)
    if min(w, h) > 2 * width:
        within = (x + width, y + width, x + w - width, y + h - width)
        fill(inner, within, max(radius - width, 0), WHITE)
    expected = outer * (1 - inner / 255)
    np.testing.assert_allclose(outline, expected, atol=2)
