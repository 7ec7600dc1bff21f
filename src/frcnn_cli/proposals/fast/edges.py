"""The pixel graph of an image: edges between 4-connected pixels, sorted by colour distance.

An edge is named by a number: 2 p joins pixel p (row-major) to the one on its right, 2 p + 1 to the
one below. A key is an int64 with the bits of the edge's weight above and its name below: weights
are float32 and not negative, so keys order like weights.
"""

from __future__ import annotations

from typing import Final, NamedTuple

import cv2
import numpy as np

from frcnn_cli.proposals.fast.jit import inlined, kernel
from frcnn_cli.proposals.fast.stdsort import tie_order

EDGE: Final = 0xFFFFFFFF
"""Mask of the edge's name in a key."""
RADIX_BITS: Final = 11
"""Bits a pass of the radix sort: three passes cover a float32."""


class EdgeGraph(NamedTuple):
    """The E = H (W - 1) + (H - 1) W edges of an image in rising order of weight."""

    keys: np.ndarray
    """(E,) int64."""
    settled: np.ndarray
    """(E,) bool: edges among equal weights that are known to stand in OpenCV's order."""
    shape: tuple[int, int]
    """(H, W) of the image, pixels."""


def build_graph(image: np.ndarray, sigma: float) -> EdgeGraph:
    """Weighs and sorts the edges of an image.

    Args:
        image: (H, W, C) or (H, W) uint8.
        sigma: standard deviation of the Gaussian blur before weighing, pixels.
    """
    blurred = cv2.GaussianBlur(image.astype(np.float32), (0, 0), sigma)
    height, width = image.shape[:2]
    keys = _radix_sort(_weigh(blurred.reshape(height, width, -1)))
    return EdgeGraph(keys, np.zeros(keys.size, np.bool_), (height, width))


def settle(
    graph: EdgeGraph, contested: np.ndarray, flags: np.ndarray
) -> tuple[EdgeGraph, np.ndarray]:
    """Puts the edges of some weights into the order in which OpenCV's sort leaves them.

    Args:
        graph: the image's edges.
        contested: (T,) int64 bits of the weights, rising and distinct, T > 0.
        flags: (E,) uint8 that move with their edges.

    Returns:
        New graph and flags.
    """
    graph = graph._replace(keys=graph.keys.copy(), settled=graph.settled.copy())
    flags = flags.copy()
    directed = _directed_keys(graph.keys, *graph.shape)
    _place(tie_order(directed, contested), graph.keys, graph.settled, flags)
    return graph, flags


@inlined
def across(edge: int, width: int) -> tuple[int, int]:
    """The two pixels of an edge."""
    pixel = edge >> 1
    return pixel, pixel + (width if edge & 1 else 1)


@kernel
def _weigh(blurred: np.ndarray) -> np.ndarray:
    """Returns the (E,) int64 keys of an (H, W, C) float32 image in the order of its pixels."""
    height, width = blurred.shape[:2]
    keys = np.empty(height * (width - 1) + (height - 1) * width, np.int64)
    weights = keys.view(np.float32)
    n = 0
    for y in range(height):
        row = blurred[y]
        below = blurred[min(y + 1, height - 1)]
        for x in range(width):
            edge = 2 * (y * width + x)
            if x + 1 < width:
                keys[n] = edge
                weights[2 * n + 1] = _distance(row[x], row[x + 1])
                n += 1
            if y + 1 < height:
                keys[n] = edge + 1
                weights[2 * n + 1] = _distance(row[x], below[x])
                n += 1
    return keys


@inlined
def _distance(one: np.ndarray, other: np.ndarray) -> np.float32:
    """Colour distance of two pixels: squares and their sum in float32, as OpenCV adds them."""
    total = np.float32(0)
    for c in range(one.size):
        difference = one[c] - other[c]
        total += difference * difference
    return np.float32(np.sqrt(total))


@kernel
def _radix_sort(keys: np.ndarray) -> np.ndarray:
    """Sorts (E,) keys by weight, stably; the input is overwritten."""
    mask = (1 << RADIX_BITS) - 1
    counts = np.zeros((3, mask + 1), np.int64)
    for key in keys:
        for digit in range(3):
            counts[digit, (key >> (32 + RADIX_BITS * digit)) & mask] += 1
    target = np.empty_like(keys)
    for digit in range(3):
        shift = 32 + RADIX_BITS * digit
        places = np.cumsum(counts[digit]) - counts[digit]
        for key in keys:
            bucket = (key >> shift) & mask
            target[places[bucket]] = key
            places[bucket] += 1
        keys, target = target, keys
    return keys


@kernel
def _directed_keys(keys: np.ndarray, height: int, width: int) -> np.ndarray:
    """Every edge twice, as OpenCV lists them: each pixel's edges up, left, down and right.

    Returns:
        (2 E,) int64 keys.
    """
    bits = np.empty(2 * height * width, np.int32)
    for key in keys:
        bits[key & EDGE] = key >> 32
    directed = np.empty(2 * keys.size, np.int64)
    n = 0
    for y in range(height):
        for x in range(width):
            right = 2 * (y * width + x)
            if y > 0:
                n = _append(directed, n, bits, right - 2 * width + 1)
            if x > 0:
                n = _append(directed, n, bits, right - 2)
            if y + 1 < height:
                n = _append(directed, n, bits, right + 1)
            if x + 1 < width:
                n = _append(directed, n, bits, right)
    return directed


@inlined
def _append(keys: np.ndarray, n: int, bits: np.ndarray, edge: int) -> int:
    keys[n] = (np.int64(bits[edge]) << 32) | edge
    return n + 1


@kernel
def _place(ordered: np.ndarray, keys: np.ndarray, settled: np.ndarray, flags: np.ndarray) -> None:
    """Writes `ordered` keys at the places of their weights; of each pair of twins, the first."""
    first = 0
    while first < ordered.size:
        bits = ordered[first] >> 32
        at = np.searchsorted(keys, bits << 32)
        last = np.searchsorted(keys, (bits + 1) << 32)
        flag_of = {np.int64(-1): np.uint8(0)}  # of the edges that are still to be placed
        for i in range(at, last):
            flag_of[keys[i]] = flags[i]
        settled[at:last] = True
        while first < ordered.size and ordered[first] >> 32 == bits:
            key = ordered[first]
            if key in flag_of:
                keys[at] = key
                flags[at] = flag_of.pop(key)
                at += 1
            first += 1
