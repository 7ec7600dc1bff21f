"""An image at the sizes and in the windows in which the network sees it (§2.4)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from frcnn_cli.config import InputConfig
from frcnn_cli.data.images import resize
from frcnn_cli.proposals.grid import tiles
from frcnn_cli.records import FloatArray

NEAREST_AREA = 224.0**2
"""Pixels of a RoI at the scale that is right for it (§2.4, after SPPnet)."""
_ROUNDING = 0.5
"""Pixels by which a box may reach beyond a window."""


class View(NamedTuple):
    """An image at one size, and the proposals that the network gets at this size.

    Attributes:
        pixels: (h, w, 3) uint8, RGB.
        rois: (R, 4) float32 xyxy in `pixels`.
        places: (R,) int64, which proposals they are.
    """

    pixels: npt.NDArray[np.uint8]
    rois: FloatArray
    places: npt.NDArray[np.int64]


def views_of(
    image: npt.NDArray[np.uint8],
    boxes: FloatArray,
    sizes: Sequence[InputConfig],
    tile_side: int = 0,
) -> tuple[View, ...]:
    """Returns an image at the sizes of the network, each box at the one where it is best.

    Best is the size at which the box's area is nearest to 224² pixels (§2.4). A view in which no
    box is best is left out, but for one. With tiles, a box is seen in the first window that it fits
    into, or else in the whole image.

    Args:
        image: (H, W, 3) uint8.
        boxes: (N, 4) xyxy in its pixels.
        sizes: at least one.
        tile_side: side of the windows in pixels; 0: none.
    """
    height, width = image.shape[:2]
    windows = [*tiles(width, height, tile_side), np.array((0, 0, width, height))]
    fits = [
        ((boxes[:, :2] >= w[:2] - _ROUNDING) & (boxes[:, 2:] <= w[2:] + _ROUNDING)).all(axis=1)
        for w in windows
    ]
    fits[-1] = np.ones(len(boxes), bool)
    window_of = np.argmax(fits, axis=0)
    area = (boxes[:, 2] - boxes[:, 0]) * (boxes[:, 3] - boxes[:, 1])
    views = []
    for i, window in enumerate(windows):
        inside = np.flatnonzero(window_of == i)
        if not len(inside) and (len(boxes) or i < len(windows) - 1):
            continue
        x1, y1, x2, y2 = map(int, window)
        part = np.ascontiguousarray(image[y1:y2, x1:x2])
        origin = np.array((x1, y1, x1, y1), np.float32)
        resized = [resize(part, size) for size in sizes]
        factors = np.array([each.scale[0] * each.scale[1] for each in resized])
        best = np.abs(area[inside, None] * factors - NEAREST_AREA).argmin(axis=1)
        for number, each in enumerate(resized):
            places = inside[best == number]
            if len(places) or (not len(boxes) and number == 0):
                views.append(View(each.pixels, (boxes[places] - origin) * each.scale, places))
    return tuple(views)
