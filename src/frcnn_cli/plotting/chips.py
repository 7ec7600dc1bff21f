"""Label chips: their text and their size."""

from __future__ import annotations

import importlib.util
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from frcnn_cli.plotting.shapes import Coverage

Font = ImageFont.FreeTypeFont

SMALLEST = 7
"""Letters that can just be read, pixels: for pictures too narrow for a name in the usual size."""


@lru_cache(maxsize=64)
def load_font(size: int, *, bold: bool = False) -> Font:
    """Returns DejaVu Sans, which ships with matplotlib, at `size` pixels."""
    name = "DejaVuSans-Bold.ttf" if bold else "DejaVuSans.ttf"
    return ImageFont.truetype(str(matplotlib_file(f"fonts/ttf/{name}")), size)


def matplotlib_file(name: str) -> Path:
    """Returns a file that ships with matplotlib, which is not imported: that is slow."""
    package = importlib.util.find_spec("matplotlib")
    assert package is not None
    assert package.origin is not None
    return Path(package.origin).parent / "mpl-data" / name


def percent(score: float) -> str:
    """Returns `score` in 0..1 as people read it: "98 %", never "100 %" short of certainty."""
    if 0 < score < 0.01:
        return "<1 %"
    return f"{100 if score >= 1 else min(round(100 * score), 99)} %"


@dataclass(frozen=True, slots=True)
class Chip:
    """A label as it will be painted.

    Attributes:
        width: pixels, padding included.
        height: pixels, the same for all chips of a picture.
        text: (height, width) coverage in 0..1 of the letters.
    """

    width: int
    height: int
    text: Coverage


def make_chip(size: int, name: str, score: str = "") -> Chip:
    """Returns the chip "name score", the name in bold; without a score, the name alone.

    Args:
        size: of the letters, pixels.
        name: the label.
        score: what follows it, in regular type.
    """
    bold, regular = load_font(size, bold=True), load_font(size)
    pad = round(0.45 * size)
    height = round(1.55 * size)
    gap = round(0.4 * size) if score else 0
    name_width, score_width = bold.getlength(name), regular.getlength(score)
    width = round(2 * pad + name_width + gap + score_width)
    letters = Image.new("L", (width, height))
    draw = ImageDraw.Draw(letters)
    # Centred on the capitals: descenders hang below, as the eye expects.
    top, bottom = bold.getbbox("H", anchor="ls")[1::2]
    baseline = round((height - top - bottom) / 2)
    draw.text((pad, baseline), name, 255, bold, anchor="ls")
    draw.text((pad + name_width + gap, baseline), score, 225, regular, anchor="ls")
    return Chip(width, height, np.asarray(letters, np.float32) / np.float32(255))


def chip_variants(size: int, name: str, score: str, picture: tuple[int, int]) -> list[Chip]:
    """Returns chips that fit into a picture, the most telling one first.

    Args:
        size: of the letters, pixels.
        name: the label.
        score: what follows it.
        picture: width and height, pixels.
    """
    width, height = picture
    chips = [make_chip(size, name, score), make_chip(size, name)]
    if chips[-1].width > width:
        chips.append(make_chip(min(size, SMALLEST), name))
    return [each for each in chips if each.width <= width and each.height <= height]
