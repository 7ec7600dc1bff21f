"""Placement of label chips: at their own box, inside the picture, clear of each other."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from frcnn_cli.boxes import area, intersection
from frcnn_cli.plotting.chips import Chip
from frcnn_cli.plotting.shapes import Rect
from frcnn_cli.records import DoubleArray

Rects = DoubleArray

MOST_HIDDEN = 0.04
"""Share of a chip that may lie under others: a corner, never a letter."""

MOST_COVERED = 0.3
"""Share of a picture that chips may cover, so that a thumbnail still shows what is in it."""


@dataclass(frozen=True, slots=True)
class PlacedChip:
    """A chip and its place, a rectangle of the chip's own size inside the picture."""

    chip: Chip
    rect: Rect


def place(
    variants: Sequence[Sequence[Chip]], rects: Sequence[Rect], picture: tuple[int, int], line: int
) -> list[PlacedChip | None]:
    """Finds a place for the chip of each box, the most important box first.

    A chip touches its own box, stays inside the picture and keeps clear of earlier chips, and as
    far as it can of the boxes themselves, small ones above all. On the top edge is best.

    Args:
        variants: the chips that each box may have, in decreasing preference; all fit the picture.
        rects: the outer edge of each box.
        picture: width and height.
        line: width of the boxes' lines, pixels.

    Returns:
        The chip of each box, or None where there is no room.
    """
    boxes = np.array(rects, np.float64).reshape(-1, 4)
    taken = np.zeros((0, 4))
    placed: list[PlacedChip | None] = []
    for rect, chips in zip(rects, variants, strict=True):
        best = None
        for chip in chips:
            candidates, dislikes = _candidates(chip, rect, picture, line)
            at = _best(candidates, dislikes, boxes, taken)
            room = MOST_COVERED * picture[0] * picture[1] - area(taken).sum()
            if at is not None and (not len(taken) or chip.width * chip.height <= room):
                best = PlacedChip(chip, at)
                taken = np.vstack((taken, at))
                break
        placed.append(best)
    return placed


def _best(candidates: Rects, dislikes: DoubleArray, boxes: Rects, taken: Rects) -> Rect | None:
    """Returns the least disliked of `candidates` that no earlier chip hides, or None."""
    hidden = (intersection(candidates, taken) / area(candidates)[:, None]).sum(1)
    covers = (intersection(candidates, boxes) / area(boxes)).sum(1)
    best = int(np.argmin(100 * hidden + 3 * covers + dislikes))
    if hidden[best] > MOST_HIDDEN:
        return None
    x1, y1, x2, y2 = (int(edge) for edge in candidates[best])
    return x1, y1, x2, y2


def _candidates(
    chip: Chip, rect: Rect, picture: tuple[int, int], line: int
) -> tuple[Rects, DoubleArray]:
    """Returns places (M, 4) inside the picture and how much (M,) each is disliked, 0 for the best.

    Rows above, inside at the top, below and inside at the bottom, each at several columns.
    """
    width, height = chip.width, chip.height
    x1, y1, x2, y2 = rect
    rows = ((y1 - height + line, 0.0), (y1, 0.3), (y2 - line, 0.9), (y2 - height, 0.6))
    columns = [(x1, 0.0), (x2 - width, 0.1)]
    spare = x2 - x1 - width
    columns += [(round(x1 + spare * step / 8), 0.15) for step in range(1, 8) if spare > 0]
    places, dislikes = [], []
    for y, dislike_row in rows:
        for x, dislike_column in columns:
            inside_x = min(max(x, 0), picture[0] - width)
            inside_y = min(max(y, 0), picture[1] - height)
            places.append((inside_x, inside_y, inside_x + width, inside_y + height))
            moved = (abs(inside_x - x) + abs(inside_y - y)) / height
            dislikes.append(dislike_row + dislike_column + 0.5 * moved)
    return np.array(places, np.float64), np.array(dislikes)
