"""Images with their detections drawn in."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Self

import numpy as np
import numpy.typing as npt
from PIL import Image

from frcnn_cli.plotting.chips import chip_variants, percent
from frcnn_cli.plotting.palette import INK, Colour, class_colour, text_colour
from frcnn_cli.plotting.placing import PlacedChip, place
from frcnn_cli.plotting.shapes import Canvas, Rect, blend, fill, stroke
from frcnn_cli.records import Detections, FloatArray

_FEW = 12
"""Boxes for which there is room in any picture; more make lines and letters smaller."""
_SMALL = 460
"""Side in pixels of a square picture whose letters, of 12 pixels, are not made smaller."""


@dataclass(frozen=True, slots=True)
class Style:
    """Sizes in pixels, made for one picture.

    Attributes:
        line: width of a box's line.
        halo: dark margin on both sides of the line, which keeps it visible on any ground.
        radius: of a box's corners.
        text: size of the letters.
    """

    line: int
    halo: int
    radius: int
    text: int

    @classmethod
    def for_picture(cls, width: int, height: int, marks: int = 1) -> Self:
        """Returns sizes that look the same however large the picture is.

        With many marks they are smaller, as far as letters stay readable: a large image in which
        many small objects were found is looked at in parts.

        Args:
            width: of the picture, pixels.
            height: of the picture, pixels.
            marks: number of boxes to draw.
        """
        side = math.sqrt(width * height)
        crowded = side * math.sqrt(min(1, _FEW / max(marks, 1)))
        side = max(crowded, min(side, _SMALL))
        line = max(1, round(side / 190))
        return cls(
            line=line,
            halo=max(1, round(line / 3)),
            radius=max(2, round(2.2 * line)),
            text=max(9, round(side / 38)),
        )


@dataclass(frozen=True, slots=True)
class Mark:
    """A box and what is written at it.

    Attributes:
        box: (4,) float32 xyxy in pixels of the image.
        colour: of its line and label.
        name: the label, in bold.
        note: what follows the name, such as a score; it goes first where room is short.
    """

    box: FloatArray
    colour: Colour
    name: str
    note: str = ""


def draw(
    image: npt.NDArray[np.uint8],
    detections: Detections,
    classes: Sequence[str],
    *,
    min_score: float = 0.0,
    show_scores: bool = True,
) -> Image.Image:
    """Draws boxes and labels, higher scores on top, onto a copy of an image.

    Args:
        image: (H, W, 3) RGB, the upright image.
        detections: in its pixels, by decreasing score.
        classes: names of the labels 1..K.
        min_score: detections below this score are left out, so that the picture stays readable.
        show_scores: whether labels show scores too.

    Returns:
        The picture, H × W pixels. Where a label has no room beside those of higher scores its score
        goes, then the label; the box is always drawn.
    """
    marks = [
        Mark(box, class_colour(int(label)), classes[int(label) - 1], percent(float(score)))
        for box, score, label in zip(
            detections.boxes, detections.scores, detections.labels, strict=True
        )
        if score >= min_score
    ]
    return draw_marks(image, marks if show_scores else [replace(each, note="") for each in marks])


def draw_marks(
    image: npt.NDArray[np.uint8], marks: Sequence[Mark], style: Style | None = None
) -> Image.Image:
    """Draws labelled boxes, the most important first, onto a copy of an image (H, W, 3) RGB.

    Args:
        image: (H, W, 3) RGB.
        marks: the most important first.
        style: sizes in pixels; None chooses them by the size of the image.
    """
    canvas = np.array(image, np.uint8, order="C")
    height, width = canvas.shape[:2]
    style = style or Style.for_picture(width, height, len(marks))
    rects = [_outer_rect(each.box, style, width, height) for each in marks]
    chips = [chip_variants(style.text, each.name, each.note, (width, height)) for each in marks]
    places = place(chips, rects, (width, height), style.line)
    for rect, mark in zip(reversed(rects), reversed(marks), strict=True):
        _draw_box(canvas, rect, mark.colour, style)
    for placed, mark in reversed(list(zip(places, marks, strict=True))):
        if placed is not None:
            _draw_chip(canvas, placed, mark.colour, style)
    return Image.fromarray(canvas)


def _outer_rect(box: FloatArray, style: Style, width: int, height: int) -> Rect:
    """Returns the outer edge of a box's line, which is centred on the box, inside the picture."""
    half = style.line / 2
    x1 = min(max(round(float(box[0]) - half), 0), width - 1)
    y1 = min(max(round(float(box[1]) - half), 0), height - 1)
    x2 = max(min(round(float(box[2]) + half), width), x1 + 1)
    y2 = max(min(round(float(box[3]) + half), height), y1 + 1)
    return x1, y1, x2, y2


def _draw_box(canvas: Canvas, rect: Rect, colour: Colour, style: Style) -> None:
    halo = style.halo
    around = (rect[0] - halo, rect[1] - halo, rect[2] + halo, rect[3] + halo)
    stroke(canvas, around, style.radius + halo, style.line + 2 * halo, INK, opacity=0.4)
    stroke(canvas, rect, style.radius, style.line, colour)


def _draw_chip(canvas: Canvas, placed: PlacedChip, colour: Colour, style: Style) -> None:
    fill(canvas, placed.rect, style.radius, colour)
    blend(canvas, placed.rect[0], placed.rect[1], placed.chip.text, text_colour(colour))
