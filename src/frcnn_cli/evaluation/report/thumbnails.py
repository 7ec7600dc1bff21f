"""Thumbnails of errors: the part of an image that matters, with its boxes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
from PIL import Image

from frcnn_cli.plotting.draw import Mark, Style, draw_marks
from frcnn_cli.plotting.pages import jpeg_uri
from frcnn_cli.plotting.palette import PALETTE
from frcnn_cli.records import DoubleArray

TRUTH = PALETTE[0]
"""Boxes of the ground truth."""
DETECTED = PALETTE[14]
"""Boxes of the detector, orange: apart from the sky blue of the truth for every kind of eye."""

WIDTH, HEIGHT = 320, 240
AROUND = 0.6
"""Room left on each side of the boxes, as a share of their size."""
LEAST_ROOM = 1.1
"""What the boxes need of a side at least, in times their size, before 4 : 3 is given up."""
LEAST_SIDE = 96
"""Pixels of the image that are shown at least, so that a speck is seen where it stands."""
MOST_CHARACTERS = 53_400
"""Of a picture in the page: 40 kB as a file."""
QUALITIES = (82, 68, 52, 36)
STYLE = Style(line=2, halo=1, radius=4, text=12)


@dataclass(frozen=True, slots=True)
class Picture:
    """A thumbnail and what it shows.

    Attributes:
        source: `data:` URI of a JPEG.
        width: pixels.
        height: pixels.
        title: what is wrong, short.
        detail: how it is wrong.
        file: the image's name.
    """

    source: str
    width: int
    height: int
    title: str
    detail: str
    file: str


def make_picture(
    image: npt.NDArray[np.uint8], marks: Sequence[Mark], *, title: str, detail: str, file: str
) -> Picture:
    """Draws the part of an image around `marks`, at most 320 × 240 pixels.

    Args:
        image: (H, W, 3) RGB.
        marks: at least one box, the most important first.
        title: what is wrong.
        detail: how it is wrong.
        file: the image's name.
    """
    height, width = image.shape[:2]
    x1, y1, x2, y2 = _crop(np.array([each.box for each in marks], np.float64), width, height)
    scale = min(WIDTH / (x2 - x1), HEIGHT / (y2 - y1))
    size = max(1, round(scale * (x2 - x1))), max(1, round(scale * (y2 - y1)))
    part = Image.fromarray(image[y1:y2, x1:x2]).resize(size, Image.Resampling.LANCZOS)
    offset = np.array((x1, y1, x1, y1), np.float32)
    moved = [replace(each, box=(each.box - offset) * np.float32(scale)) for each in marks]
    picture = draw_marks(np.asarray(part), moved, STYLE)
    return Picture(_data_uri(picture), *size, title, detail, file)


def _crop(boxes: DoubleArray, width: int, height: int) -> tuple[int, int, int, int]:
    """Returns the part (x1, y1, x2, y2) to show: 4 : 3 where boxes and image allow it."""
    x1, y1 = boxes[:, :2].min(axis=0)
    x2, y2 = boxes[:, 2:].max(axis=0)
    room = 1 + 2 * AROUND
    shape = WIDTH / HEIGHT
    part_height = min(max((y2 - y1) * room, (x2 - x1) * room / shape, LEAST_SIDE), height)
    part_width = min(max(part_height * shape, (x2 - x1) * LEAST_ROOM), width)
    part_height = min(max(part_width / shape, (y2 - y1) * LEAST_ROOM), height)
    left = min(max((x1 + x2 - part_width) / 2, 0), width - part_width)
    top = min(max((y1 + y2 - part_height) / 2, 0), height - part_height)
    return int(left), int(top), int(np.ceil(left + part_width)), int(np.ceil(top + part_height))


def _data_uri(picture: Image.Image) -> str:
    """Returns a picture in the best quality that is small enough."""
    uri = ""
    for quality in QUALITIES:
        uri = jpeg_uri(picture, quality)
        if len(uri) <= MOST_CHARACTERS:
            break
    return uri
