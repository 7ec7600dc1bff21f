"""The first visit of a segmentation: edges join components that accept their weight.

All k of a preset are visited in one sweep. Pixels that are joined at every scale share a *base*,
and most edges are settled by one look at two bases.

There is a node of two int32 for each pixel: the tree of bases and, at a root, what is known of the
base. While all scales agree on it, it is *whole*, and that is the bits of its largest weight, from
which every threshold follows. When they part, it is -1 minus a row of `Split`.
"""

from __future__ import annotations

from typing import Final, NamedTuple

import numpy as np

from frcnn_cli.proposals.fast.numba_kernels.arrays import filled
from frcnn_cli.proposals.fast.numba_kernels.jit import inlined, kernel
from frcnn_cli.proposals.fast.numba_kernels.prefetch import prefetch
from frcnn_cli.proposals.fast.segmentation.edges import EDGE, across
from frcnn_cli.proposals.fast.segmentation.trees import join, root_of

NEAR: Final = 24
FAR: Final = 64
"""How many edges ahead of a visit its bases, and its pixels, are fetched into the cache."""


class Split(NamedTuple):
    """Bases at which the scales parted: a row each, S columns."""

    trees: np.ndarray
    """(M, S) int32: at each scale, the forest of rows."""
    thresholds: np.ndarray
    """(M, S) float32: largest weight that a root accepts."""
    pixels: np.ndarray
    """(M,) int32: a pixel of the base."""


@kernel
def join_by_threshold(
    keys: np.ndarray, width: int, ks: np.ndarray, nodes: np.ndarray
) -> tuple[np.ndarray, Split]:
    """Joins pixels along the edges that both components accept, at all scales.

    Args:
        keys: (E,) int64 of the edges in rising order of weight.
        width: pixels of a row.
        ks: (S,) float32.
        nodes: (HW, 2) int32, overwritten.

    Returns:
        (E,) uint8 with bit s set where scale s refused the edge, and the split bases.
    """
    for pixel in range(nodes.shape[0]):
        nodes[pixel, 0], nodes[pixel, 1] = -1, 0
    tree, largest = nodes[:, 0], nodes.view(np.float32)[:, 1]
    weights = keys.view(np.float32)
    refusals = np.zeros(keys.size, np.uint8)
    split = _room(ks.size, 1024)
    rows = 0
    finest = coarsest = ks[0]  # NumPy's own minimum takes a second to compile
    for k in ks:
        finest, coarsest = min(finest, k), max(coarsest, k)
    everywhere = (1 << ks.size) - 1
    for i in range(keys.size):
        _prefetch_later(keys, i, width, nodes)
        p, q = across(keys[i] & EDGE, width)
        # The same parent, and so the same base: settled without a walk to its root.
        if tree[p] == tree[q] and tree[p] >= 0:
            continue
        p, q = root_of(tree, p), root_of(tree, q)
        if p == q:
            continue
        weight = weights[2 * i + 1]
        if nodes[p, 1] >= 0 and nodes[q, 1] >= 0:
            # Two whole bases. Thresholds grow with k: what the finest scale accepts, all accept;
            # what the coarsest refuses, none accepts. In between the scales part, below.
            if weight <= _limit(tree, largest, p, q, finest):
                largest[join(tree, p, q)] = weight
                continue
            if weight > _limit(tree, largest, p, q, coarsest):
                refusals[i] = everywhere
                continue
        elif nodes[p, 1] >= 0 or nodes[q, 1] >= 0:
            # One whole base. Each scale has its own component of the split one, so each is asked.
            # Where they agree, the whole base needs no row, of which there would be many.
            p, q = (q, p) if nodes[p, 1] >= 0 else (p, q)
            row = -1 - nodes[p, 1]
            refused = _refusing(split, row, ks, weight, largest[q], -tree[q])
            if refused == 0:
                _absorb(split, row, ks, weight, -tree[q])
                nodes[join(tree, p, q), 1] = -1 - row
                continue
            if refused == everywhere:
                refusals[i] = everywhere
                continue
        # The scales disagree, or both bases are split: each scale joins rows in a forest of its
        # own, as the one tree of pixels can hold only what all scales agree on.
        for pixel in (p, q):
            if nodes[pixel, 1] >= 0:
                split = _grown(split) if rows == split.pixels.size else split
                _part(split, rows, ks, pixel, largest[pixel], -tree[pixel])
                rows += 1
                nodes[pixel, 1] = -rows
        row = -1 - nodes[p, 1]
        refusals[i] = _visit(split, row, -1 - nodes[q, 1], ks, weight)
        # Joined at every scale: one base, whose components either of the two rows leads to.
        if refusals[i] == 0:
            nodes[join(tree, p, q), 1] = -1 - row
    return refusals, split


@inlined
def _prefetch_later(keys: np.ndarray, i: int, width: int, nodes: np.ndarray) -> None:
    """Prefetches what later edges will read: their pixels, then their bases."""
    if i + FAR < keys.size:
        for pixel in across(keys[i + FAR] & EDGE, width):
            prefetch(nodes, pixel)
        for pixel in across(keys[i + NEAR] & EDGE, width):
            if nodes[pixel, 0] >= 0:
                prefetch(nodes, nodes[pixel, 0])


@inlined
def _threshold(weight: np.float32, k: np.float32, size: int) -> np.float32:
    """The largest weight that a component accepts, in OpenCV's float32."""
    return np.float32(weight + k / np.float32(size))


@inlined
def _limit(tree: np.ndarray, largest: np.ndarray, p: int, q: int, k: np.float32) -> np.float32:
    """The largest weight that two whole bases both accept at a scale."""
    return min(_threshold(largest[p], k, -tree[p]), _threshold(largest[q], k, -tree[q]))


@kernel
def _room(scales: int, rows: int) -> Split:
    return Split(
        np.empty((rows, scales), np.int32),
        np.empty((rows, scales), np.float32),
        np.empty(rows, np.int32),
    )


@kernel
def _grown(split: Split) -> Split:
    """The same with room for twice the rows."""
    rows, scales = split.trees.shape
    grown = _room(scales, 2 * rows)
    for row in range(rows):
        grown.pixels[row] = split.pixels[row]
        for s in range(scales):
            grown.trees[row, s] = split.trees[row, s]
            grown.thresholds[row, s] = split.thresholds[row, s]
    return grown


@inlined
def _part(
    split: Split, row: int, ks: np.ndarray, pixel: int, largest: np.float32, size: int
) -> None:
    """Writes the row of a base at which the scales part."""
    split.pixels[row] = pixel
    for s in range(ks.size):
        split.trees[row, s] = -size
        split.thresholds[row, s] = _threshold(largest, ks[s], size)


@inlined
def _refusing(
    split: Split, row: int, ks: np.ndarray, weight: np.float32, largest: np.float32, size: int
) -> int:
    """Bits of the scales at which a split base and a whole one stay apart."""
    refused = 0
    for s in range(ks.size):
        root = root_of(split.trees[:, s], row)
        threshold = min(split.thresholds[root, s], _threshold(largest, ks[s], size))
        refused |= (weight > threshold) << s
    return refused


@inlined
def _absorb(split: Split, row: int, ks: np.ndarray, weight: np.float32, size: int) -> None:
    """Adds a whole base to a split one at every scale."""
    for s in range(ks.size):
        root = root_of(split.trees[:, s], row)
        split.trees[root, s] -= size
        split.thresholds[root, s] = _threshold(weight, ks[s], -split.trees[root, s])


@inlined
def _visit(split: Split, one: int, other: int, ks: np.ndarray, weight: np.float32) -> int:
    """Joins two split bases where they accept it; returns the bits of the scales that refuse."""
    refused = 0
    for s in range(ks.size):
        tree = split.trees[:, s]
        a, b = root_of(tree, one), root_of(tree, other)
        if a == b:
            continue
        if weight <= min(split.thresholds[a, s], split.thresholds[b, s]):
            a = join(tree, a, b)
            split.thresholds[a, s] = _threshold(weight, ks[s], -tree[a])
        else:
            refused |= 1 << s
    return refused


@kernel
def number_bases(nodes: np.ndarray) -> tuple[np.ndarray, int]:
    """Numbers the bases by their first pixels: (HW,) int32 numbers, and how many there are."""
    tree = nodes[:, 0]
    numbers = filled(tree.size, -1)
    count = 0
    for pixel in range(tree.size):
        root = root_of(tree, pixel)
        # A root after its base's first pixel is numbered early, and keeps its number.
        if numbers[root] < 0:
            numbers[root] = count
            count += 1
        numbers[pixel] = numbers[root]
    return numbers, count


@kernel
def shrink(numbers: np.ndarray, nodes: np.ndarray, split: Split, forest: np.ndarray) -> None:
    """Writes the forest of each scale over the B bases, (S, B) int32.

    Args:
        numbers: (P,) int32, the base of each pixel.
        nodes: (P, 2) int32, as `join_by_threshold` left them.
        split: the components of each scale.
        forest: (S, B) int32, overwritten.
    """
    for pixel in range(numbers.size):
        if nodes[pixel, 0] >= 0:
            continue
        base = numbers[pixel]
        for s in range(forest.shape[0]):
            forest[s, base] = nodes[pixel, 0]
            if nodes[pixel, 1] < 0:
                root = root_of(split.trees[:, s], -1 - nodes[pixel, 1])
                owner = numbers[split.pixels[root]]
                forest[s, base] = split.trees[root, s] if owner == base else owner
