"""Annotated images."""

from __future__ import annotations

import numpy as np
import pytest

from frcnn_cli.plotting.draw import Style, draw
from frcnn_cli.plotting.palette import class_colour
from frcnn_cli.records import Detections, as_boxes

CLASSES = ("cat", "dog", "diningtable")


def found(*rows):
    return Detections(
        as_boxes([box for _, _, box in rows]),
        np.array([score for _, score, _ in rows], np.float32),
        np.array([label for label, _, _ in rows], np.int64),
    )


def grey(width, height):
    return np.full((height, width, 3), 120, np.uint8)


@pytest.mark.parametrize(("width", "height"), [(64, 64), (1, 1), (500, 375), (3000, 40), (40, 999)])
def test_any_size_of_picture(width, height):
    boxes = found(
        (3, 0.9, (0, 0, width, height)),
        (1, 0.8, (width / 2, height / 2, width / 2 + 1, height / 2 + 1)),
        (2, 0.7, (width - 0.2, height - 0.2, width, height)),
    )
    picture = draw(grey(width, height), boxes, CLASSES)
    assert picture.mode == "RGB"
    assert picture.size == (width, height)


def test_no_detections_change_nothing():
    image = grey(80, 60)
    np.testing.assert_array_equal(np.asarray(draw(image, Detections.empty(), CLASSES)), image)


def test_the_image_itself_is_not_drawn_on():
    image = grey(80, 60)
    image.flags.writeable = False
    draw(image, found((1, 0.9, (10, 10, 40, 40))), CLASSES)
    assert (image == 120).all()


def test_only_line_and_label_are_touched():
    image = grey(400, 300)
    picture = np.asarray(draw(image, found((2, 0.98, (100, 100, 300, 250))), CLASSES))
    style = Style.for_picture(400, 300)
    touched = (picture != image).any(-1)
    reach = style.line + style.halo + 1
    line = np.zeros_like(touched)
    line[100 - reach : 250 + reach, 100 - reach : 300 + reach] = True
    line[100 + reach : 250 - reach, 100 + reach : 300 - reach] = False
    rows, columns = np.nonzero(touched & ~line)
    # What is left is the chip, on the top edge at the left.
    assert rows.max() < 100
    assert rows.min() > 100 - 2 * style.text
    assert columns.min() >= 100 - reach
    assert columns.max() < 100 + 7 * style.text


def test_the_line_has_the_colour_of_the_class():
    picture = draw(grey(400, 300), found((2, 0.98, (100, 100, 300, 250))), CLASSES)
    assert picture.getpixel((300, 200)) == class_colour(2)


def test_higher_scores_lie_on_top():
    box = (100, 100, 300, 250)
    picture = draw(grey(400, 300), found((1, 0.9, box), (2, 0.4, box)), CLASSES)
    assert picture.getpixel((300, 200)) == class_colour(1)


def test_low_scores_are_left_out():
    image = grey(400, 300)
    boxes = found((1, 0.5, (10, 30, 90, 90)), (2, 0.4, (200, 100, 300, 250)))
    picture = np.asarray(draw(image, boxes, CLASSES, min_score=0.5))
    assert (picture[100:, 150:] == 120).all()
    assert (picture != 120).any()


def test_scores_can_be_hidden():
    boxes = found((1, 0.5, (100, 100, 300, 250)))
    shown = np.asarray(draw(grey(400, 300), boxes, CLASSES))
    hidden = np.asarray(draw(grey(400, 300), boxes, CLASSES, show_scores=False))
    assert (hidden != 120).sum() < (shown != 120).sum()


def test_sizes_follow_the_picture():
    small, large = Style.for_picture(500, 375), Style.for_picture(5000, 3750)
    assert small == Style(line=2, halo=1, radius=4, text=11)
    assert large.line == pytest.approx(10 * small.line, rel=0.2)
    assert large.text == pytest.approx(10 * small.text, rel=0.1)


def test_many_boxes_on_a_large_picture_leave_it_visible():
    """48 objects of 250 pixels on 12 megapixels: each has its label, and most of it is seen."""
    corners = [(500 * x + 100, 500 * y + 100) for y in range(6) for x in range(8)]
    boxes = found(*[(1, 0.9, (x, y, x + 250, y + 250)) for x, y in corners])
    image = grey(4000, 3000)
    touched = (np.asarray(draw(image, boxes, CLASSES)) != image).any(-1)
    for x, y in corners:
        assert touched[y - 40 : y - 20, x : x + 150].mean() > 0.5, "a label above the box"
        assert not touched[y + 40 : y + 210, x + 40 : x + 210].any()


@pytest.mark.parametrize(("width", "height", "smaller"), [(500, 375, False), (4000, 3000, True)])
def test_letters_are_never_too_small_to_read(width, height, smaller):
    few, many = (Style.for_picture(width, height, marks).text for marks in (12, 1000))
    assert few == Style.for_picture(width, height).text
    assert (many < few) == smaller
    assert many >= 11
