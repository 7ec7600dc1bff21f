"""The pixel graph of an image: edges between 4-connected pixels, sorted by colour distance.

An edge is named by a number: 2 p joins pixel p (row-major) to the one on its right, 2 p + 1 to the
one below. A key is an int64 with the bits of the edge's weight above and its name below: weights
are float32 and not negative, so keys order like weights.
"""

from __future__ import annotations

from typing import Final, NamedTuple

import cv2
import numpy as np

from frcnn_cli.proposals.fast.numba_kernels.jit import inlined, kernel
from frcnn_cli.proposals.fast.numba_kernels.memory import Memory
from frcnn_cli.proposals.fast.numba_kernels.stdsort import tie_order

EDGE: Final = 0xFFFFFFFF
"""Mask of the edge's name in a key."""
RADIX_BITS: Final = 11
"""Bits per pass of the radix sort."""
DIGITS: Final = 3
"""Passes that cover a float32."""
MASK: Final = (1 << RADIX_BITS) - 1


STRIP: Final = 1 << 18
"""About how many pixels are blurred and weighed at a time: memory that is used again is near."""
HALO: Final = 8
"""Rows beside a strip that its blur may see; a Gaussian of σ = 0.8 reaches 3."""


class EdgeGraph(NamedTuple):
    """The E = H (W - 1) + (H - 1) W edges of an image in rising order of weight."""

    keys: np.ndarray
    """(E,) int64."""
    image: np.ndarray
    """(H, W, C) or (H, W) uint8."""
    sigma: float
    """Standard deviation of the Gaussian blur before weighing, pixels; at most 1."""
    memory: Memory
    """Of the thread that works on it; one graph at a time."""


def build_graph(image: np.ndarray, sigma: float, memory: Memory) -> EdgeGraph:
    """Weighs and sorts the edges of an image.

    Args:
        image: (H, W, C) or (H, W) uint8.
        sigma: standard deviation of the Gaussian blur, pixels; at most 1.
        memory: of the thread; one graph at a time.
    """
    keys = _weighed_keys(image, sigma, memory)
    ordered = memory.array("sorted keys", keys.shape, np.int64)
    _radix_sort(keys, ordered)
    return EdgeGraph(ordered, image, sigma, memory)


def opencvs_order(graph: EdgeGraph, contested: np.ndarray) -> np.ndarray:
    """Returns the keys of some weights as OpenCV's sort leaves them, each edge once.

    Args:
        graph: the image's edges.
        contested: (T,) int64 bits of the weights, rising and distinct, T > 0.
    """
    # Sooner made again than found among the sorted.
    keys = _weighed_keys(graph.image, graph.sigma, graph.memory)
    directed = graph.memory.array("directed keys", (2 * keys.size,), np.int64)
    height, width = graph.image.shape[:2]
    _direct(keys, height, width, directed)
    ordered = tie_order(directed, contested)
    _, first = np.unique(ordered, return_index=True)  # of the two directions of an edge
    return ordered[np.sort(first)]


def _weighed_keys(image: np.ndarray, sigma: float, memory: Memory) -> np.ndarray:
    """Returns the (E,) int64 keys of an image in the order of its pixels."""
    height, width = image.shape[:2]
    keys = memory.array("keys", (height * (width - 1) + (height - 1) * width,), np.int64)
    rows = max(1, STRIP // width)
    for first in range(0, height, rows):
        # The row below the last one is needed too, for the edges that lead down to it.
        last = min(first + rows, height)
        top = max(first - HALO, 0)
        strip = image[top : last + 1 + HALO].astype(np.float32)
        blurred = cv2.GaussianBlur(strip, (0, 0), sigma)[first - top : last + 1 - top]
        _weigh(blurred.reshape(*blurred.shape[:2], -1), first, last, keys)
    return keys


@inlined
def across(edge: int, width: int) -> tuple[int, int]:
    """The two pixels of an edge."""
    pixel = edge >> 1
    return pixel, pixel + (width if edge & 1 else 1)


@kernel
def _weigh(blurred: np.ndarray, first: int, last: int, keys: np.ndarray) -> None:
    """Writes the keys of a strip of rows.

    Args:
        blurred: (last - first + 1, W, C) float32, or one row less at the lower end of the image.
        first: the strip's first row.
        last: the row below the strip.
        keys: (E,) int64 of the whole image, in the order of its pixels.
    """
    width = blurred.shape[1]
    weights = keys.view(np.float32)
    n = first * (2 * width - 1)
    for y in range(last - first):
        row = blurred[y]
        has_below = y + 1 < blurred.shape[0]
        below = blurred[y + has_below]
        for x in range(width):
            edge = 2 * ((first + y) * width + x)
            if x + 1 < width:
                keys[n] = edge
                weights[2 * n + 1] = _distance(row[x], row[x + 1])
                n += 1
            if has_below:
                keys[n] = edge + 1
                weights[2 * n + 1] = _distance(row[x], below[x])
                n += 1


@inlined
def _distance(one: np.ndarray, other: np.ndarray) -> np.float32:
    """Colour distance of two pixels: squares and their sum in float32, as OpenCV adds them."""
    total = np.float32(0)
    for c in range(one.size):
        difference = one[c] - other[c]
        total += difference * difference
    return np.float32(np.sqrt(total))


@kernel
def _radix_sort(keys: np.ndarray, target: np.ndarray) -> None:
    """Sorts (E,) keys by weight, stably, into `target`; overwrites both."""
    counts = np.zeros((DIGITS, MASK + 1), np.int64)
    for key in keys:
        for digit in range(DIGITS):
            counts[digit, (key >> (32 + RADIX_BITS * digit)) & MASK] += 1
    for digit in range(DIGITS):
        shift = 32 + RADIX_BITS * digit
        places = counts[digit]
        before = 0
        for i in range(places.size):
            before, places[i] = before + places[i], before
        for key in keys:
            bucket = (key >> shift) & MASK
            target[places[bucket]] = key
            places[bucket] += 1
        keys, target = target, keys  # an odd number of times


@kernel
def _direct(keys: np.ndarray, height: int, width: int, directed: np.ndarray) -> None:
    """Writes every edge twice, as OpenCV lists them: each pixel's up, left, down and right.

    Args:
        keys: (E,) int64 in the order of the pixels.
        height: pixels.
        width: pixels.
        directed: (2 E,) int64 keys, written.
    """
    n = 0
    row = 2 * width - 1
    for y in range(height):
        step = 2 if y + 1 < height else 1  # keys of a pixel
        for x in range(width):
            right = y * row + step * x
            if y > 0:
                directed[n] = keys[(y - 1) * row + min(2 * x + 1, row - 1)]
                n += 1
            if x > 0:
                directed[n] = keys[right - step]
                n += 1
            if y + 1 < height:
                directed[n] = keys[min(right + 1, (y + 1) * row - 1)]
                n += 1
            if x + 1 < width:
                directed[n] = keys[right]
                n += 1
