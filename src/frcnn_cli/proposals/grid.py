"""Windows: sliding ones as proposals, and those in which a large image is searched."""

from __future__ import annotations

import itertools

import numpy as np
import numpy.typing as npt

_SCALES = (1.0, 0.75, 0.5, 0.25)
"""Side of a square window as a fraction of the image's."""
_ASPECTS = (0.5, 1.0, 2.0)
"""Width over height, relative to the image's own."""


def windows(width: int, height: int) -> npt.NDArray[np.int32]:
    """Returns windows (N, 4), xyxy in whole pixels, that cover a `width` × `height` image.

    Neighbours overlap by half or more, up to rounding. A window has at least one pixel.
    """
    found: set[tuple[int, int, int, int]] = set()
    for scale, aspect in itertools.product(_SCALES, _ASPECTS):
        spans_x = _spans(width, min(1.0, scale * aspect**0.5))
        spans_y = _spans(height, min(1.0, scale / aspect**0.5))
        found.update((x1, y1, x2, y2) for (x1, x2), (y1, y2) in itertools.product(spans_x, spans_y))
    return np.array(sorted(found), np.int32)


def tiles(width: int, height: int, side: int) -> npt.NDArray[np.int32]:
    """Returns windows (N, 4), xyxy in whole pixels, of `side` at most; none where one is enough.

    Neighbours overlap by a quarter of the side or more, so that an object of this size is whole in
    one of them.

    Args:
        width: of the image, pixels.
        height: of the image, pixels.
        side: longest side of a window, pixels; 0: no windows.
    """
    if not 0 < side < max(width, height):
        return np.zeros((0, 4), np.int32)
    rows, columns = _starts(height, side), _starts(width, side)
    return np.array(
        [(x, y, min(x + side, width), min(y + side, height)) for y in rows for x in columns],
        np.int32,
    )


def _starts(length: int, side: int) -> list[int]:
    steps = max(0, -(-4 * (length - side) // (3 * side)))
    return [round(i * (length - side) / max(1, steps)) for i in range(steps + 1)]


def _spans(length: int, fraction: float) -> list[tuple[int, int]]:
    """Returns (start, end) of equal spans over `length` pixels, each half over the next."""
    span = max(1, round(length * fraction))
    steps = -(-2 * (length - span) // span)
    starts = [round(i * (length - span) / max(1, steps)) for i in range(steps + 1)]
    return [(start, start + span) for start in starts]
