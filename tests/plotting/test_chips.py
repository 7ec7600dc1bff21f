"""Label chips: text and size."""

from __future__ import annotations

import pytest

from frcnn_cli.plotting.chips import chip_variants, make_chip, percent


@pytest.mark.parametrize(
    ("score", "text"),
    [
        (0.0, "0 %"),
        (0.004, "<1 %"),
        (0.05, "5 %"),
        (0.978, "98 %"),
        (0.9999, "99 %"),
        (1.0, "100 %"),
    ],
)
def test_scores_as_people_read_them(score, text):
    assert percent(score) == text


def test_a_chip_holds_its_letters():
    chip = make_chip(12, "dogjy", "98 %")
    assert chip.text.shape == (chip.height, chip.width)
    assert chip.text.max() > 0.8
    for edge in (chip.text[0], chip.text[-1], chip.text[:, 0], chip.text[:, -1]):
        assert not edge.any()


def test_variants_grow_shorter_and_fit():
    widths = [each.width for each in chip_variants(12, "dog", "98 %", (500, 375))]
    assert len(widths) == 2
    assert widths[0] > widths[1]
    assert all(each.width <= 40 for each in chip_variants(12, "cat", "98 %", (40, 375)))
    assert chip_variants(12, "dog", "98 %", (8, 8)) == []


def test_small_letters_are_tried_where_the_name_is_too_long():
    (only,) = chip_variants(9, "diningtable", "98 %", (64, 48))
    assert only.width <= 64
