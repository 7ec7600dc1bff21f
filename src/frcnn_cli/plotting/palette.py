"""Colours: one per class, stable by its place among the classes."""

from __future__ import annotations

import numpy as np

Colour = tuple[int, int, int]
"""Red, green, blue in 0..255."""

_HEX = (
    "38BDF8 EF4444 FDE047 A855F7 0D9488 99F6E4 EC4899 FDA4AF 22D3EE 22C55E "
    "818CF8 D9F99D BAE6FD 2DD4BF FB923C FBBF24 4ADE80 F472B6 CA8A04 10B981"
)

PALETTE: tuple[Colour, ...] = tuple(
    (int(code[:2], 16), int(code[2:4], 16), int(code[4:], 16)) for code in _HEX.split()
)
"""Bright colours that stay apart in hue or lightness for people with full colour vision,
deuteranopia and protanopia; the first few, which small sets use, are the farthest apart."""

INK: Colour = (10, 14, 24)
PAPER: Colour = (255, 255, 255)

BLUE: Colour = (2, 132, 199)
RED: Colour = (220, 38, 38)
VIOLET: Colour = (147, 51, 234)
GREEN: Colour = (5, 150, 105)
GREY: Colour = (148, 163, 184)
"""Darker kin of the palette's first colours, for lines on white."""


def class_colour(label: int) -> Colour:
    """Returns the colour of label 1..K; with more classes than colours they come round again."""
    return PALETTE[(label - 1) % len(PALETTE)]


def as_hex(colour: Colour) -> str:
    """Returns a colour as pages write it, such as "#38bdf8"."""
    return "#{:02x}{:02x}{:02x}".format(*colour)


def text_colour(background: Colour) -> Colour:
    """Returns ink or white, whichever stands out more from `background` (WCAG 2 contrast)."""
    return max(INK, PAPER, key=lambda colour: contrast(colour, background))


def contrast(a: Colour, b: Colour) -> float:
    """Returns the contrast ratio of two colours, 1..21 (WCAG 2)."""
    darker, lighter = sorted((_luminance(a), _luminance(b)))
    return (lighter + 0.05) / (darker + 0.05)


def _luminance(colour: Colour) -> float:
    value = np.array(colour) / 255
    linear = np.where(value <= 0.04045, value / 12.92, ((value + 0.055) / 1.055) ** 2.4)
    return float(linear @ (0.2126, 0.7152, 0.0722))
