"""Anti-aliased rounded rectangles, painted onto an image in place.

Each pixel's share of a shape comes from its distance to the shape's edge (positive outside), so
there is no supersampled copy, and only the pixels near a line are touched.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np
import numpy.typing as npt

from frcnn_cli.plotting.palette import Colour

Canvas = npt.NDArray[np.uint8]
Rect = tuple[int, int, int, int]
"""x1, y1, x2, y2 in whole pixel edges."""
Coverage = npt.NDArray[np.float32]


def fill(canvas: Canvas, rect: Rect, radius: float, colour: Colour) -> None:
    """Fills `rect` of `canvas` (H, W, 3) with corners of `radius` pixels.

    Args:
        canvas: (H, W, 3), painted in place.
        rect: to fill; may reach beyond the canvas.
        radius: of the corners, pixels.
        colour: of the paint.
    """
    _paint(canvas, rect, colour, lambda at: _inside(_distance(at, rect, radius)))


def stroke(
    canvas: Canvas,
    rect: Rect,
    radius: float,
    width: float,
    colour: Colour,
    *,
    opacity: float = 1.0,
) -> None:
    """Draws the outline of `rect` of `canvas` (H, W, 3), `width` pixels wide, to its inside.

    Args:
        canvas: (H, W, 3), painted in place.
        rect: outer edge of the line; may reach beyond the canvas.
        radius: of the corners, pixels.
        width: of the line, pixels.
        colour: of the paint.
        opacity: in 0..1.
    """

    def coverage(at: Rect) -> Coverage:
        distance = _distance(at, rect, radius)
        return opacity * _inside(distance) * (1 - _inside(distance + width))

    for band in _bands(rect, int(np.ceil(max(radius, width))) + 1):
        _paint(canvas, band, colour, coverage)


def blend(canvas: Canvas, x: int, y: int, coverage: Coverage, colour: Colour) -> None:
    """Paints `colour` onto `canvas` at `coverage` (h, w) in 0..1, whose corner is at (x, y).

    Args:
        canvas: (H, W, 3), painted in place.
        x: column of the left edge.
        y: row of the top edge.
        coverage: (h, w) in 0..1.
        colour: of the paint.
    """
    height, width = coverage.shape
    part = canvas[y : y + height, x : x + width]
    mixed = part + (np.array(colour, np.float32) - part) * coverage[..., None]
    part[...] = np.rint(mixed).astype(np.uint8)


def _paint(canvas: Canvas, at: Rect, colour: Colour, coverage: Callable[[Rect], Coverage]) -> None:
    height, width = canvas.shape[:2]
    x1, y1, x2, y2 = max(at[0], 0), max(at[1], 0), min(at[2], width), min(at[3], height)
    if x1 < x2 and y1 < y2:
        blend(canvas, x1, y1, coverage((x1, y1, x2, y2)), colour)


def _bands(rect: Rect, depth: int) -> Iterator[Rect]:
    """Yields the parts of `rect` within `depth` pixels of its edge, without overlap."""
    x1, y1, x2, y2 = rect
    top, bottom = min(y1 + depth, y2), max(y2 - depth, min(y1 + depth, y2))
    left, right = min(x1 + depth, x2), max(x2 - depth, min(x1 + depth, x2))
    yield x1, y1, x2, top
    yield x1, bottom, x2, y2
    yield x1, top, left, bottom
    yield right, top, x2, bottom


def _distance(at: Rect, rect: Rect, radius: float) -> Coverage:
    """Returns the distance of each pixel centre in `at` to the edge of the rounded `rect`."""
    x1, y1, x2, y2 = rect
    radius = min(radius, (x2 - x1) / 2, (y2 - y1) / 2)
    x = np.arange(at[0], at[2], dtype=np.float32) + 0.5
    y = np.arange(at[1], at[3], dtype=np.float32)[:, None] + 0.5
    out_x = np.abs(x - (x1 + x2) / 2) - (x2 - x1) / 2 + radius
    out_y = np.abs(y - (y1 + y2) / 2) - (y2 - y1) / 2 + radius
    corner = np.hypot(out_x.clip(min=0), out_y.clip(min=0))
    side = np.minimum(np.maximum(out_x, out_y), 0)
    distance: Coverage = corner + side - np.float32(radius)
    return distance


def _inside(distance: Coverage) -> Coverage:
    return (0.5 - distance).clip(0, 1)
