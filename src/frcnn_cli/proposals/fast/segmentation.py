"""Graph-based segmentation (Felzenszwalb & Huttenlocher, IJCV 2004), with OpenCV's label maps.

The edges of the pixel graph are visited in order of weight: an edge joins the components of its
pixels while it is no larger than both components' thresholds. Then components under a minimal size
are joined along the smallest edges that were refused.

All k of a preset are segmented in one sweep. Pixels that are joined at every scale share a *base*
component; only bases are looked up at each scale, so that most edges cost one look for all.

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
    bases, forest, refusals = _join_by_threshold(graph.keys, height * width, width, ks)
    refusals &= _beside_small(graph.keys, refusals, width, sizes, bases, forest)
    while True:
        joined = forest.copy()
        seen = np.flatnonzero(refusals)
        contested = _join_small(
            graph.keys[seen], graph.settled[seen], refusals[seen], width, sizes, bases, joined
        )
        if contested.size == 0:
            break
        graph, refusals = settle(graph, np.unique(contested), refusals)
    numbered = [_number(bases, joined[:, scale].copy()) for scale in range(len(scales))]
    return [Segmentation(labels.reshape(height, width), count) for labels, count in numbered]


# A tree is an int32 for each element: its parent, or minus the component's size at its root. A
# forest has a tree in each column, for S scales.


@inlined
def _root(tree: np.ndarray, pixel: int) -> int:
    """The root of a pixel's component."""
    above: int = tree[pixel]
    while above >= 0:
        higher: int = tree[above]
        if higher < 0:
            return above
        tree[pixel] = higher  # halves the path for the next visit
        pixel = higher
        above = tree[pixel]
    return pixel


@inlined
def _join(tree: np.ndarray, a: int, b: int) -> int:
    """Joins two roots, the smaller below the larger; returns the root of both."""
    if tree[a] > tree[b]:
        a, b = b, a
    tree[a] += tree[b]
    tree[b] = a
    return a


@kernel
def _join_by_threshold(
    keys: np.ndarray, pixels: int, width: int, ks: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """First visit.

    Returns:
        Each pixel's base, (HW,) int32; the forest over bases, (B, S) int32; and (E,) uint8 with bit
        s set where scale s refused the edge.
    """
    bases = np.full(pixels, -1, np.int32)
    forest = np.full((pixels, ks.size), -1, np.int32)
    thresholds = np.empty((pixels, ks.size), np.float32)
    thresholds[:] = ks
    weights = keys.view(np.float32)
    refusals = np.zeros(keys.size, np.uint8)
    fetched = 0
    for i in range(keys.size):
        if i + AHEAD < keys.size:
            p, q = across(keys[i + AHEAD] & EDGE, width)
            fetched ^= bases[p] ^ bases[q]
        p, q = across(keys[i] & EDGE, width)
        if bases[p] == bases[q] and bases[p] >= 0:
            continue
        p, q = _root(bases, p), _root(bases, q)
        if p == q:
            continue
        refusals[i] = _visit(forest, thresholds, p, q, weights[2 * i + 1], ks)
        if refusals[i] == 0:
            _join(bases, p, q)
    if fetched == 1 << 40:  # never: keeps the fetches from being optimised away
        refusals[0] = 0
    numbers, firsts = _number_bases(bases)
    return numbers, _shrink(numbers, firsts, forest), refusals


@kernel
def _number_bases(bases: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Numbers the components of a tree over pixels by their first pixels.

    Returns:
        (HW,) int32 numbers and (B,) int32 first pixels.
    """
    numbers = np.empty(bases.size, np.int32)
    of_root = np.full(bases.size, -1, np.int32)
    firsts = np.empty(bases.size, np.int32)
    count = 0
    for pixel in range(bases.size):
        root = _root(bases, pixel)
        if of_root[root] < 0:
            of_root[root] = count
            firsts[count] = pixel
            count += 1
        numbers[pixel] = of_root[root]
    return numbers, firsts[:count].copy()


@kernel
def _shrink(numbers: np.ndarray, firsts: np.ndarray, forest: np.ndarray) -> np.ndarray:
    """From a forest over pixels to one over the B bases, (B, S) int32.

    A component's root becomes the base that holds its root pixel.
    """
    small = np.empty((firsts.size, forest.shape[1]), np.int32)
    for s in range(forest.shape[1]):
        tree = forest[:, s]
        for base in range(firsts.size):
            root = _root(tree, firsts[base])
            small[base, s] = tree[root] if numbers[root] == base else numbers[root]
    return small


@inlined
def _visit(
    forest: np.ndarray, thresholds: np.ndarray, p: int, q: int, weight: np.float32, ks: np.ndarray
) -> int:
    """Joins two bases where the thresholds allow it; returns the bits of the scales that refuse."""
    refused = 0
    for s in range(ks.size):
        tree = forest[:, s]
        a, b = _root(tree, p), _root(tree, q)
        if a == b:
            continue
        if weight <= thresholds[a, s] and weight <= thresholds[b, s]:
            a = _join(tree, a, b)
            thresholds[a, s] = weight + ks[s] / np.float32(-tree[a])
        else:
            refused |= 1 << s
    return refused


@kernel
def _beside_small(
    keys: np.ndarray,
    refusals: np.ndarray,
    width: int,
    min_sizes: np.ndarray,
    bases: np.ndarray,
    forest: np.ndarray,
) -> np.ndarray:
    """(E,) uint8 with bit s set at refused edges that touch a component under the minimal size."""
    small = np.zeros(forest.shape[0], np.uint8)
    for s in range(min_sizes.size):
        tree = forest[:, s]
        for base in range(small.size):
            if -tree[_root(tree, base)] < min_sizes[s]:
                small[base] |= np.uint8(1 << s)
    beside = np.zeros(keys.size, np.uint8)
    for i in range(keys.size):
        if refusals[i]:
            p, q = across(keys[i] & EDGE, width)
            beside[i] = small[bases[p]] | small[bases[q]]
    return beside


@kernel
def _join_small(
    keys: np.ndarray,
    settled: np.ndarray,
    refusals: np.ndarray,
    width: int,
    min_sizes: np.ndarray,
    bases: np.ndarray,
    forest: np.ndarray,
) -> np.ndarray:
    """Second visit: joins components under the minimal size along refused edges, in their order.

    Returns:
        Bits of the weights whose order is not settled and may matter, (T,) int64. When there are
        any, the components are those of an arbitrary order.
    """
    contested = [np.int64(0) for _ in range(0)]
    partners = np.full(forest.shape[0], -1, np.int32)
    ends = np.empty((keys.size, 2), np.int32)
    for s in range(min_sizes.size):
        tree = forest[:, s]
        first = 0
        while first < keys.size:
            last = first
            n = 0
            while last < keys.size and keys[last] >> 32 == keys[first] >> 32:
                p, q = across(keys[last] & EDGE, width)
                ends[n, 0], ends[n, 1] = bases[p], bases[q]
                n += (refusals[last] >> s) & 1
                last += 1
            if (
                n > 1
                and not settled[first]
                and _order_matters(ends[:n], min_sizes[s], tree, partners)
            ):
                contested.append(keys[first] >> 32)
            for m in range(n):
                a, b = _root(tree, ends[m, 0]), _root(tree, ends[m, 1])
                if _joins(tree, a, b, min_sizes[s]):
                    _join(tree, a, b)
            first = last
    return np.array(contested, np.int64)


@inlined
def _joins(tree: np.ndarray, a: int, b: int, min_size: int) -> bool:
    """Whether the second visit joins two components."""
    return a != b and (-tree[a] < min_size or -tree[b] < min_size)


@kernel
def _order_matters(ends: np.ndarray, min_size: int, tree: np.ndarray, partners: np.ndarray) -> bool:
    """Whether two of some equal edges could join one component to different others.

    Args:
        ends: (M, 2) int32 bases of the edges.
        min_size: pixels.
        tree: components.
        partners: (B,) int32 of -1, and left so.
    """
    matters = False
    touched = np.empty(2 * len(ends), np.int64)
    n = 0
    for m in range(len(ends)):
        a, b = _root(tree, ends[m, 0]), _root(tree, ends[m, 1])
        if _joins(tree, a, b, min_size):
            matters |= partners[a] >= 0 and partners[a] != b
            matters |= partners[b] >= 0 and partners[b] != a
            partners[a], partners[b] = b, a
            touched[n], touched[n + 1] = a, b
            n += 2
    for root in touched[:n]:
        partners[root] = -1
    return matters


@kernel
def _number(bases: np.ndarray, tree: np.ndarray) -> tuple[np.ndarray, int]:
    """Returns (HW,) int32 labels numbered by first pixel, and their number."""
    labels = np.empty(bases.size, np.int32)
    names = np.full(tree.size, -1, np.int32)
    count = 0
    for base in range(tree.size):  # bases count from the first pixel, and so do their components
        root = _root(tree, base)
        if names[root] < 0:
            names[root] = count
            count += 1
    for base in range(tree.size):
        names[base] = names[_root(tree, base)]
    for pixel in range(bases.size):
        labels[pixel] = names[bases[pixel]]
    return labels, count
