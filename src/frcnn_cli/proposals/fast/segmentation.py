"""Graph-based segmentation (Felzenszwalb & Huttenlocher, IJCV 2004), with OpenCV's label maps.

The edges of the pixel graph are visited in order of weight: an edge joins the components of its
pixels while it is no larger than both components' thresholds. Then components under a minimal size
are joined along the smallest edges that were refused.

All k of a preset are segmented in one sweep: their forests lie side by side, so that a visit to a
pixel, which rarely is in the processor's cache, serves every k.

The order of equal weights cannot change the first visit (a component that refuses a weight is
closed to every later edge, one that accepts it stays open at that weight), but it can change which
small components join in the second. There, and only where it can matter, the edges of a weight are
put into OpenCV's order.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, NamedTuple

import numpy as np

from frcnn_cli.proposals.fast.edges import EDGE, EdgeGraph, across, settle
from frcnn_cli.proposals.fast.jit import inlined, kernel

AHEAD: Final = 48
"""Edges between the one visited and the one whose pixels are fetched into the cache."""


class Scale(NamedTuple):
    """How coarse a segmentation is."""

    k: float
    """Scale of observation: larger gives larger components."""
    min_size: int
    """Smallest component, pixels."""


class Segmentation(NamedTuple):
    """A partition of an image."""

    labels: np.ndarray
    """(H, W) int32, counted from 0 in the order of the segments' first pixels."""
    segments: int
    """Their number."""


def segment(graph: EdgeGraph, scales: Sequence[Scale]) -> list[Segmentation]:
    """Segments an image at each scale (at most 8)."""
    height, width = graph.shape
    ks = np.array([scale.k for scale in scales], np.float32)
    sizes = np.array([scale.min_size for scale in scales], np.int64)
    forest, refusals = _join_by_threshold(graph.keys, height * width, width, ks)
    refusals &= _beside_small(graph.keys, refusals, width, sizes, forest)
    while True:
        joined = forest.copy()
        contested = _join_small(graph.keys, graph.settled, refusals, width, sizes, joined)
        if contested.size == 0:
            break
        graph, refusals = settle(graph, np.unique(contested), refusals)
    numbered = [_number(joined, scale) for scale in range(len(scales))]
    return [Segmentation(labels.reshape(height, width), count) for labels, count in numbered]


# A forest is (HW, S) int32 for S scales: a pixel's parent, or at a root minus its component's size.


@inlined
def _root(forest: np.ndarray, pixel: int, scale: int) -> int:
    """The root of a pixel's component."""
    above: int = forest[pixel, scale]
    while above >= 0:
        higher: int = forest[above, scale]
        if higher < 0:
            return above
        forest[pixel, scale] = higher  # halves the path for the next visit
        pixel = higher
        above = forest[pixel, scale]
    return pixel


@inlined
def _join(forest: np.ndarray, a: int, b: int, scale: int) -> int:
    """Joins two roots, the smaller below the larger; returns the root of both."""
    if forest[a, scale] > forest[b, scale]:
        a, b = b, a
    forest[a, scale] += forest[b, scale]
    forest[b, scale] = a
    return a


@kernel
def _join_by_threshold(
    keys: np.ndarray, pixels: int, width: int, ks: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """First visit.

    Returns:
        The forest, and (E,) uint8 with bit s set where scale s refused the edge.
    """
    forest = np.full((pixels, ks.size), -1, np.int32)
    thresholds = np.empty((pixels, ks.size), np.float32)
    thresholds[:] = ks
    weights = keys.view(np.float32)
    refusals = np.zeros(keys.size, np.uint8)
    fetched = 0
    for i in range(keys.size):
        if i + AHEAD < keys.size:
            p, q = across(keys[i + AHEAD] & EDGE, width)
            fetched ^= forest[p, 0] ^ forest[q, 0]
        p, q = across(keys[i] & EDGE, width)
        weight = weights[2 * i + 1]
        for s in range(ks.size):
            if forest[p, s] == forest[q, s] and forest[p, s] >= 0:
                continue
            a, b = _root(forest, p, s), _root(forest, q, s)
            if a == b:
                continue
            if weight <= thresholds[a, s] and weight <= thresholds[b, s]:
                a = _join(forest, a, b, s)
                thresholds[a, s] = weight + ks[s] / np.float32(-forest[a, s])
            else:
                refusals[i] |= np.uint8(1 << s)
    if fetched == 1 << 40:  # never: keeps the fetches from being optimised away
        refusals[0] = 0
    return forest, refusals


@kernel
def _beside_small(
    keys: np.ndarray, refusals: np.ndarray, width: int, min_sizes: np.ndarray, forest: np.ndarray
) -> np.ndarray:
    """(E,) uint8 with bit s set at refused edges that touch a component under the minimal size."""
    small = np.zeros(forest.shape[0], np.uint8)
    for pixel in range(small.size):
        for s in range(min_sizes.size):
            if -forest[_root(forest, pixel, s), s] < min_sizes[s]:
                small[pixel] |= np.uint8(1 << s)
    beside = np.zeros(keys.size, np.uint8)
    for i in range(keys.size):
        if refusals[i]:
            p, q = across(keys[i] & EDGE, width)
            beside[i] = small[p] | small[q]
    return beside


@kernel
def _join_small(
    keys: np.ndarray,
    settled: np.ndarray,
    refusals: np.ndarray,
    width: int,
    min_sizes: np.ndarray,
    forest: np.ndarray,
) -> np.ndarray:
    """Second visit: joins components under the minimal size along refused edges, in their order.

    Returns:
        Bits of the weights whose order is not settled and may matter, (T,) int64. When there are
        any, the components are those of an arbitrary order.
    """
    contested = [np.int64(0) for _ in range(0)]
    partners = np.full(forest.shape[0], -1, np.int32)
    for s in range(min_sizes.size):
        refused = _refused(keys, refusals, s)
        first = 0
        while first < refused.size:
            bits = refused[first] >> 32
            last = first + 1
            while last < refused.size and refused[last] >> 32 == bits:
                last += 1
            if (
                last - first > 1
                and not settled[np.searchsorted(keys, bits << 32)]
                and _order_matters(refused[first:last], width, min_sizes[s], forest, partners, s)
            ):
                contested.append(bits)
            for key in refused[first:last]:
                p, q = across(key & EDGE, width)
                a, b = _root(forest, p, s), _root(forest, q, s)
                if _joins(forest, a, b, min_sizes[s], s):
                    _join(forest, a, b, s)
            first = last
    return np.array(contested, np.int64)


@kernel
def _refused(keys: np.ndarray, refusals: np.ndarray, scale: int) -> np.ndarray:
    """Keys of the edges that have a scale's bit set, (F,) int64 rising."""
    count = 0
    for flags in refusals:
        count += (flags >> scale) & 1
    refused = np.empty(count + 1, np.int64)  # one to spare: each edge is written, few stay
    n = 0
    for i in range(keys.size):
        refused[n] = keys[i]
        n += (refusals[i] >> scale) & 1
    return refused[:count]


@inlined
def _joins(forest: np.ndarray, a: int, b: int, min_size: int, scale: int) -> bool:
    """Whether the second visit joins two components."""
    return a != b and (-forest[a, scale] < min_size or -forest[b, scale] < min_size)


@kernel
def _order_matters(
    equal: np.ndarray,
    width: int,
    min_size: int,
    forest: np.ndarray,
    partners: np.ndarray,
    scale: int,
) -> bool:
    """Whether two of some keys of equal weight could join one component to different others.

    `partners` is (HW,) of -1, and left so.
    """
    matters = False
    touched = np.empty(2 * equal.size, np.int64)
    n = 0
    for key in equal:
        p, q = across(key & EDGE, width)
        a, b = _root(forest, p, scale), _root(forest, q, scale)
        if _joins(forest, a, b, min_size, scale):
            matters |= partners[a] >= 0 and partners[a] != b
            matters |= partners[b] >= 0 and partners[b] != a
            partners[a], partners[b] = b, a
            touched[n], touched[n + 1] = a, b
            n += 2
    for root in touched[:n]:
        partners[root] = -1
    return matters


@kernel
def _number(forest: np.ndarray, scale: int) -> tuple[np.ndarray, int]:
    """Returns (HW,) int32 labels numbered by first pixel, and their number."""
    pixels = forest.shape[0]
    labels = np.empty(pixels, np.int32)
    names = np.full(pixels, -1, np.int32)
    count = 0
    for pixel in range(pixels):
        root = _root(forest, pixel, scale)
        if names[root] < 0:
            names[root] = count
            count += 1
        labels[pixel] = names[root]
    return labels, count
