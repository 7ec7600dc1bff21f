"""Colours that can be distinguished, also by people who see fewer of them."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import pytest

from frcnn_cli.plotting.palette import INK, PALETTE, PAPER, class_colour, contrast, text_colour

# Linear RGB as it is seen without the M or the L cones (Machado, Oliveira, Fernandes 2009).
VISIONS = {
    "full": np.eye(3),
    "deuteranopia": [
        [0.367322, 0.860646, -0.227968],
        [0.280085, 0.672501, 0.047413],
        [-0.011820, 0.042940, 0.968881],
    ],
    "protanopia": [
        [0.152286, 1.052583, -0.204868],
        [0.114503, 0.786281, 0.099216],
        [-0.003882, -0.048116, 1.051998],
    ],
}


def oklab(linear):
    """Linear RGB (N, 3) in Ottosson's OKLab, where distance is difference to the eye."""
    to_cones = [
        [0.4122214708, 0.5363325363, 0.0514459929],
        [0.2119034982, 0.6806995451, 0.1073969566],
        [0.0883024619, 0.2817188376, 0.6299787005],
    ]
    to_lab = [
        [0.2104542553, 0.7936177850, -0.0040720468],
        [1.9779984951, -2.4285922050, 0.4505937099],
        [0.0259040371, 0.7827717662, -0.8086757660],
    ]
    return np.cbrt(linear.clip(0, 1) @ np.transpose(to_cones)) @ np.transpose(to_lab)


@pytest.mark.parametrize(
    ("count", "vision", "apart"),
    [
        (20, "full", 0.05),
        (20, "deuteranopia", 0.015),
        (20, "protanopia", 0.015),
        (6, "full", 0.15),
        (6, "deuteranopia", 0.09),
        (6, "protanopia", 0.09),
    ],
)
def test_colours_stay_apart(count, vision, apart):
    value = np.array(PALETTE[:count]) / 255
    linear = np.where(value <= 0.04045, value / 12.92, ((value + 0.055) / 1.055) ** 2.4)
    seen = oklab(linear @ np.transpose(VISIONS[vision]))
    assert min(np.linalg.norm(a - b) for a, b in combinations(seen, 2)) > apart


def test_a_class_keeps_its_colour():
    assert class_colour(1) == PALETTE[0] != class_colour(2)
    assert class_colour(len(PALETTE) + 1) == class_colour(1)


def test_contrast_by_hand():
    assert contrast((0, 0, 0), (255, 255, 255)) == pytest.approx(21)
    assert contrast(INK, INK) == 1


def test_text_can_be_read_on_every_colour():
    # 4.5 is what WCAG asks of body text.
    assert all(contrast(text_colour(colour), colour) > 4.5 for colour in PALETTE)
    assert text_colour(PAPER) == INK
    assert text_colour(INK) == PAPER
