"""Graph-based segmentation (Felzenszwalb & Huttenlocher, IJCV 2004), with OpenCV's label maps.

The edges of the pixel graph are visited in order of weight: an edge joins the components of its
pixels while it is no larger than both components' thresholds. Then components under a minimal size
are joined along the smallest edges that were refused.

The first visit, of all k of a preset in one sweep, is in `bases`; the second is here.

The order of equal weights cannot change the first visit (a component that refuses a weight is
closed to every later edge, one that accepts it stays open at that weight), but it can change which
small components join in the second. There, and only where it can matter, the edges of a weight are
put into OpenCV's order.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, NamedTuple

import numpy as np

from frcnn_cli.proposals.fast.numba_kernels.arrays import filled
from frcnn_cli.proposals.fast.numba_kernels.jit import inlined, kernel
from frcnn_cli.proposals.fast.segmentation.bases import join_by_threshold, number_bases, shrink
from frcnn_cli.proposals.fast.segmentation.edges import EDGE, EdgeGraph, across, opencvs_order
from frcnn_cli.proposals.fast.segmentation.trees import join, root_of

ONCE: Final = 4096
"""Weights whose order is asked for together; what is left over is asked for in the next round."""


class Scale(NamedTuple):
    """Coarseness of a segmentation."""

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


class Refused(NamedTuple):
    """The F edges that the second visit looks at, in its order."""

    keys: np.ndarray
    """(F,) int64, rising by weight."""
    ends: np.ndarray
    """(F, 2) int32: the bases of the two pixels."""
    flags: np.ndarray
    """(F,) uint8: bit s is set where scale s refused the edge beside a small component."""


def segment(graph: EdgeGraph, scales: Sequence[Scale]) -> list[Segmentation]:
    """Segments an image at each scale (at most 7)."""
    height, width = graph.image.shape[:2]
    ks = np.array([scale.k for scale in scales], np.float32)
    nodes = graph.memory.array("nodes", (height * width, 2), np.int32)
    refusals, split = join_by_threshold(graph.keys, width, ks, nodes)
    bases, count = number_bases(nodes)
    forest = np.empty((len(scales), count), np.int32)
    shrink(bases, nodes, split, forest)
    del split
    sizes = np.array([scale.min_size for scale in scales], np.int64)
    refused = Refused(*_beside_small(graph.keys, refusals, width, sizes, bases, forest))
    settled = np.zeros(refused.flags.size, np.bool_)
    while True:
        joined = forest.copy()
        contested = _join_small(refused, settled, sizes, joined)
        if contested.size == 0:
            break
        refused, settled = _settle(graph, refused, settled, np.unique(contested))
    numbered = [_number(bases, tree) for tree in joined]
    return [Segmentation(labels.reshape(height, width), count) for labels, count in numbered]


def _settle(
    graph: EdgeGraph, refused: Refused, settled: np.ndarray, contested: np.ndarray
) -> tuple[Refused, np.ndarray]:
    """Puts the edges of some weights into OpenCV's order.

    Args:
        graph: all edges of the image.
        refused: those that are put into order.
        settled: (F,) bool, whether each stands in its place.
        contested: (T,) int64 bits of the weights, rising and distinct, T > 0.

    Returns:
        What `refused` and `settled` become.
    """
    firsts = np.searchsorted(refused.keys, contested << 32)
    lasts = np.searchsorted(refused.keys, (contested + 1) << 32)
    places = np.concatenate([np.arange(*ends) for ends in zip(firsts, lasts, strict=True)])
    keys = refused.keys[places]
    ordered = opencvs_order(graph, contested)
    ordered = ordered[np.isin(ordered, keys)]
    rising = np.argsort(keys)
    source = np.arange(refused.keys.size)
    source[places] = places[rising[np.searchsorted(keys, ordered, sorter=rising)]]
    settled = settled.copy()
    settled[places] = True
    return Refused(*(column[source] for column in refused)), settled


@kernel
def _beside_small(
    keys: np.ndarray,
    refusals: np.ndarray,
    width: int,
    min_sizes: np.ndarray,
    bases: np.ndarray,
    forest: np.ndarray,
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Returns the columns of `Refused`: edges that touch a component under the minimal size."""
    small = np.zeros(forest.shape[1], np.uint8)
    for s in range(min_sizes.size):
        tree = forest[s]
        for base in range(small.size):
            if -tree[root_of(tree, base)] < min_sizes[s]:
                small[base] |= np.uint8(1 << s)
    count = 0
    for flags in refusals:
        count += flags != 0
    found = np.empty(count, np.int64)
    ends = np.empty((count, 2), np.int32)
    beside = np.empty(count, np.uint8)
    n = 0
    for i in range(keys.size):
        if refusals[i]:
            p, q = across(keys[i] & EDGE, width)
            one, other = bases[p], bases[q]
            flags = refusals[i] & (small[one] | small[other])
            found[n], ends[n, 0], ends[n, 1], beside[n] = keys[i], one, other, flags
            n += flags != 0
    return found[:n], ends[:n], beside[:n]


@kernel
def _join_small(
    refused: Refused, settled: np.ndarray, min_sizes: np.ndarray, forest: np.ndarray
) -> np.ndarray:
    """Second visit: joins components under the minimal size along refused edges, in their order.

    Returns:
        Bits of the weights whose order is not settled and may matter, (T,) int64. When there are
        any, the components are those of an arbitrary order.
    """
    keys, ends, flags = refused
    contested = np.empty(ONCE, np.int64)
    count = 0
    partners = filled(forest.shape[1], -1)
    equal = np.empty(keys.size, np.int32)
    for s in range(min_sizes.size):
        tree = forest[s]
        first = 0
        while first < keys.size:
            last = first
            n = 0
            while last < keys.size and keys[last] >> 32 == keys[first] >> 32:
                equal[n] = last
                n += (flags[last] >> s) & 1
                last += 1
            if (
                n > 1
                and not settled[first]
                and count < contested.size
                and _order_matters(ends, equal[:n], min_sizes[s], tree, partners)
            ):
                contested[count] = keys[first] >> 32
                count += 1
            for m in range(n):
                a, b = root_of(tree, ends[equal[m], 0]), root_of(tree, ends[equal[m], 1])
                if _joins(tree, a, b, min_sizes[s]):
                    join(tree, a, b)
            first = last
    return contested[:count]


@inlined
def _joins(tree: np.ndarray, a: int, b: int, min_size: int) -> bool:
    """Whether the second visit joins two components."""
    return a != b and (-tree[a] < min_size or -tree[b] < min_size)


@kernel
def _order_matters(
    ends: np.ndarray, equal: np.ndarray, min_size: int, tree: np.ndarray, partners: np.ndarray
) -> bool:
    """Whether two of some equal edges could join one component to different others.

    Args:
        ends: (F, 2) int32 bases of all edges.
        equal: (M,) int32 edges of one weight.
        min_size: pixels.
        tree: components.
        partners: (B,) int32 of -1, and left so.
    """
    matters = False
    touched = np.empty(2 * equal.size, np.int64)
    n = 0
    for edge in equal:
        a, b = root_of(tree, ends[edge, 0]), root_of(tree, ends[edge, 1])
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
    names = filled(tree.size, -1)
    count = 0
    for base in range(tree.size):  # bases count from the first pixel, and so do their components
        root = root_of(tree, base)
        if names[root] < 0:
            names[root] = count
            count += 1
    for base in range(tree.size):
        names[base] = names[root_of(tree, base)]
    for pixel in range(bases.size):
        labels[pixel] = names[bases[pixel]]
    return labels, count
