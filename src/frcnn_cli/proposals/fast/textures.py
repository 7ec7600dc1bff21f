"""Colour and texture codes of every pixel: what the histograms of regions count.

Colour is 25 bins a channel. Texture is, for each channel, the derivative along four directions (0°
and 90° of the image, and of the image turned by 45°), its positive and its negative part
apart, each stretched over 10 bins between its own extremes (Uijlings et al., IJCV 2013 §3.2, as
OpenCV does it: Scharr kernels, and a turn there and back for the diagonals).

A derivative is positive or it is not, so one code of 20 values, which rises with the derivative,
holds both parts: 0 to 9 is the bin of a negative value or zero, 10 to 19 that of a positive one. In
the part that it is not in, a pixel counts as zero (`zero_bins`).
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final, NamedTuple

import cv2
import numpy as np

from frcnn_cli.proposals.fast.numba_kernels.jit import kernel

COLOUR_BINS: Final = 25
"""Bins of one channel's colour histogram over 0..255."""
TEXTURE_BINS: Final = 10
"""Bins of one sign of one derivative."""
DIRECTIONS: Final = 4
"""Derivatives a channel; with the two signs, the 8 orientations of the paper."""
STRETCHED: Final = 255.0
"""Largest value of a stretched derivative."""

STEEPEST: Final = 16 * 255
"""Largest derivative that Scharr's kernel gives."""
VECTOR: Final = 64
"""A multiple of the pixels that OpenCV's warps compute at once on any processor."""

_COLOUR_OF = (np.arange(256) * COLOUR_BINS // 256).astype(np.uint8)


class PixelCodes(NamedTuple):
    """Histogram codes of an image of C channels."""

    colour: np.ndarray
    """(H W, C) uint8 in 0..24."""
    texture: np.ndarray
    """(4 C, H W) uint8 in 0..19."""
    zero_bins: np.ndarray
    """(4 C, 2) uint8: bin of a zero among the negative parts, and among the positive ones."""


def encode_pixels(image: np.ndarray) -> PixelCodes:
    """Computes the codes of an image, (H, W, C) or (H, W) uint8."""
    height, width = image.shape[:2]
    planes = cv2.split(image)
    turn = _Turn(height, width)
    texture = np.empty((DIRECTIONS * len(planes), height, width), np.uint8)
    zero_bins = np.empty((DIRECTIONS * len(planes), 2), np.uint8)
    row, zero = 0, np.float32(0)
    for plane in planes:
        for derivative, top, left in turn.derivatives(plane):
            stretch = _stretch(derivative[top : top + height, left : left + width])
            _encode(derivative, top, left, _cuts(stretch), texture[row])
            zero_bins[row] = _bin_of(zero, *stretch[0]), _bin_of(zero, *stretch[1])
            row += 1
    colour = cv2.LUT(image, _COLOUR_OF).reshape(height * width, -1)
    return PixelCodes(colour, texture.reshape(row, -1), zero_bins)


class _Turn:
    """Derivatives of planes of one size, (H, W), along the sides and along the diagonals.

    The arrays are used again for each plane: fresh memory costs as much as the arithmetic.
    """

    def __init__(self, height: int, width: int) -> None:
        centre = (width / 2.0, height / 2.0)
        _, _, wide, high = cv2.RotatedRect(centre, (width, height), 45.0).boundingRect()
        self._there = cv2.getRotationMatrix2D(centre, 45.0, 1.0)
        self._there[0, 2] += wide / 2.0 - centre[0]
        self._there[1, 2] += high / 2.0 - centre[1]
        self._back = cv2.getRotationMatrix2D((float(wide // 2), float(high // 2)), -45.0, 1.0)
        # Of an image with sides beyond 1 : 2.4, OpenCV crops a corner instead of the middle.
        self._corner = max(0, (high - height) // 2), max(0, (wide - width) // 2)
        canvas = self._corner[0] + height, _canvas_width(wide, high, self._corner[1] + width)
        self._turned = np.empty((high, wide), np.uint8)
        self._slopes = np.empty((high, wide), np.float32)
        self._straight = np.empty((height, width), np.float32)
        self._diagonal = np.empty(canvas, np.float32)

    def derivatives(self, plane: np.ndarray) -> Iterator[tuple[np.ndarray, int, int]]:
        """Yields 0°, 90°, 45° and 135°, each valid until the next.

        Each is a float32 array with the row and the column at which the plane begins in it.
        """
        for dx, dy in ((1, 0), (0, 1)):
            yield cv2.Scharr(plane, cv2.CV_32F, dx, dy, dst=self._straight), 0, 0
        cv2.warpAffine(plane, self._there, self._turned.shape[::-1], dst=self._turned)
        for dx, dy in ((1, 0), (0, 1)):
            cv2.Scharr(self._turned, cv2.CV_32F, dx, dy, dst=self._slopes)
            size = self._diagonal.shape[::-1]
            cv2.warpAffine(self._slopes, self._back, size, dst=self._diagonal)
            yield self._diagonal, *self._corner


def _canvas_width(wide: int, high: int, needed: int) -> int:
    """Columns to compute when turning back, so that those needed equal OpenCV's to the last bit.

    OpenCV computes a canvas that holds the turned square turned once more; the columns past its
    last whole vector round otherwise. Fewer columns do, if those needed are inside whole vectors in
    both.
    """
    centre = (float(wide // 2), float(high // 2))
    _, _, full, _ = cv2.RotatedRect(centre, (wide, high), -45.0).boundingRect()
    whole = -(-needed // VECTOR) * VECTOR
    return int(whole if whole <= full // VECTOR * VECTOR else full)


def _stretch(derivative: np.ndarray) -> np.ndarray:
    """(2, 2) float32: factor and offset that stretch the negative part, and the positive one."""
    low, high, _, _ = cv2.minMaxLoc(derivative)
    parts = (min(low, 0.0), min(high, 0.0)), (max(low, 0.0), max(high, 0.0))
    return np.array([_line(*part) for part in parts], np.float32)


def _line(low: float, high: float) -> tuple[float, float]:
    """Factor and offset that send low..high to 0..255; a flat part goes to 0, as in OpenCV."""
    if high == low:
        return 0.0, 0.0
    return STRETCHED / (high - low), -STRETCHED * low / (high - low)


@kernel
def _bin_of(value: np.float32, factor: np.float32, offset: np.float32) -> int:
    """Texture bin of one value of a part.

    OpenCV stretches to whole numbers with a fused multiply-add in float32, which float64 imitates:
    the product of two float32 is exact there.
    """
    stretched = np.float32(np.float64(value) * np.float64(factor) + np.float64(offset))
    whole = np.float32(np.rint(min(max(stretched, np.float32(0)), np.float32(STRETCHED))))
    return int(whole / (np.float32(256) / np.float32(TEXTURE_BINS)))


@kernel
def _code_of(value: np.float32, stretch: np.ndarray) -> int:
    """Code of one value; it rises with the value."""
    if value > 0:
        return TEXTURE_BINS + _bin_of(value, stretch[1, 0], stretch[1, 1])
    return _bin_of(value, stretch[0, 0], stretch[0, 1])


@kernel
def _cuts(stretch: np.ndarray) -> np.ndarray:
    """(19,) float32: the least float32 that has code 1 or more, 2 or more, … 19.

    Found by bisection over the floats in their order, so that encoding needs comparisons only.
    """
    cuts = np.empty(2 * TEXTURE_BINS - 1, np.float32)
    one = np.empty(1, np.int32)
    for code in range(1, 2 * TEXTURE_BINS):
        low, high = -0x7F800000, 0x7F800000  # places of -inf and inf among the floats
        while low < high:
            middle = (low + high) // 2
            one[0] = middle if middle >= 0 else -0x80000000 - middle
            if _code_of(one.view(np.float32)[0], stretch) >= code:
                high = middle
            else:
                low = middle + 1
        one[0] = low if low >= 0 else -0x80000000 - low
        cuts[code - 1] = one.view(np.float32)[0]
    return cuts


@kernel
def _encode(
    derivative: np.ndarray, top: int, left: int, cuts: np.ndarray, codes: np.ndarray
) -> None:
    """Writes the codes of a plane, (H, W) uint8, whose derivative begins at a row and a column.

    A table gives the code at each whole number; few values lie between it and a cut.
    """
    table = np.empty(2 * STEEPEST + 3, np.uint8)
    code = 0
    for i in range(table.size):
        while code < cuts.size and np.float32(i - STEEPEST - 1) >= cuts[code]:
            code += 1
        table[i] = code
    for y in range(codes.shape[0]):
        row = derivative[top + y]
        out = codes[y]
        for x in range(out.size):
            value = row[left + x]
            code = table[int(value + np.float32(STEEPEST + 1))]
            while code < cuts.size and value >= cuts[code]:
                code += 1
            out[x] = code
