"""Hierarchical grouping: the two most similar neighbours merge until no two regions touch.

Pairs wait in a heap. When the most similar pair has an equal, their order is open; that is harmless
unless the pairs share or touch a region, or a merge makes a new pair at least as similar. Then the
grouping is *contested*, and `group_sorted` repeats OpenCV's choice at a higher price.
"""

from __future__ import annotations

from typing import Final

import numpy as np

from frcnn_cli.proposals.fast.grouping.borders import Borders, link, prepend, unlink
from frcnn_cli.proposals.fast.grouping.heap import Heap, change, drop, heapify, is_tied
from frcnn_cli.proposals.fast.grouping.regions import Regions
from frcnn_cli.proposals.fast.grouping.similarity import (
    absorb,
    compare,
    compare_pairs,
    working_copy,
)
from frcnn_cli.proposals.fast.grouping.ties import group_sorted
from frcnn_cli.proposals.fast.numba_kernels.arrays import filled
from frcnn_cli.proposals.fast.numba_kernels.jit import kernel

SORTED_LIMIT: Final = 50_000_000
"""Segments x pairs up to which a contested grouping is repeated in OpenCV's order: about 0.3 s.

Images beyond it (about 4 megapixels) take the heap's order among equal similarities."""


def group(regions: Regions, weights: np.ndarray) -> np.ndarray:
    """Groups the regions of a segmentation.

    Args:
        regions: left as they are.
        weights: (5,) float32 from `similarity.strategy`.

    Returns:
        (M, 4) int32 boxes of all regions in the order of their making: segments, then merged ones.
    """
    settles = regions.sizes.size * len(regions.pairs) <= SORTED_LIMIT
    boxes = np.empty((max(0, 2 * len(regions.boxes) - 1), 4), np.int32)
    boxes[: len(regions.boxes)] = regions.boxes
    made, contested = _group(working_copy(regions, weights), weights, settles, boxes)
    if contested and settles:
        made = group_sorted(working_copy(regions, weights), weights, boxes)
    return boxes[:made]


@kernel
def _group(
    regions: Regions, weights: np.ndarray, stop: bool, boxes: np.ndarray
) -> tuple[int, bool]:
    """Groups N regions.

    Args:
        regions: changed.
        weights: of the strategy.
        stop: whether to return as soon as equal similarities matter.
        boxes: (2 N - 1, 4) int32; those of merged regions are written after the first N.

    Returns:
        The number of boxes, and whether equal similarities mattered.
    """
    count = regions.sizes.size
    made = count
    heap = heapify(compare_pairs(regions, weights))
    borders = link(regions.pairs, count)
    left = heap.pairs.size
    seen = filled(count, -1)
    others = np.empty(count, np.int32)
    pairs = np.empty(count, np.int32)
    doubled = np.empty(count, np.int32)
    scratch = np.empty(count, np.float32)
    fresh = np.empty(count, np.float32)
    contested = False
    while left > 0 and not (contested and stop):
        top = heap.pairs[0]
        best = heap.similarities[top]
        tied = is_tied(heap, left)  # before the merge changes the heap
        # Half-borders name regions, not segments, so no chain of merges has to be followed here.
        one, other = borders.owners[2 * top], borders.owners[2 * top + 1]
        kept, gone = min(one, other), max(one, other)
        absorb(regions, weights, kept, gone)  # the merged region takes the smaller number
        for edge in range(4):
            boxes[made, edge] = regions.boxes[kept, edge]
        left = drop(heap, top, left)
        n, extra = _merge_borders(borders, top, kept, gone, made, seen, others, pairs, doubled)
        # A neighbour of both regions had a pair with each: one of the two pairs goes. Dropping it
        # keeps one heap entry per pair of neighbours.
        for pair in doubled[:extra]:
            contested |= tied and heap.similarities[pair] == best
            left = drop(heap, pair, left)
        # Only pairs of the merged region change: all others keep their place in the heap.
        compare(regions, weights, kept, others[:n], scratch, fresh[:n])
        for m in range(n):
            contested |= tied and (heap.similarities[pairs[m]] == best or fresh[m] >= best)
            change(heap, pairs[m], fresh[m], left)
        contested |= tied and left > 0 and _touches_equal(heap, left, borders, best, seen, made)
        made += 1
    return made, contested


@kernel
def _merge_borders(
    borders: Borders,
    merged: int,
    kept: int,
    gone: int,
    made: int,
    seen: np.ndarray,
    others: np.ndarray,
    pairs: np.ndarray,
    doubled: np.ndarray,
) -> tuple[int, int]:
    """Gives the borders of region `gone` to `kept`, and lists the neighbours of both.

    Args:
        borders: changed.
        merged: the pair of the two regions.
        kept: region that stays.
        gone: region that ends.
        made: mark of this merge for `seen`.
        seen: (N,) int32, `made` afterwards for the neighbours.
        others: (N,) int32, filled with the neighbours.
        pairs: (N,) int32, filled with their pairs.
        doubled: (N,) int32, filled with the pairs of `gone` with neighbours that `kept` had too.

    Returns:
        The number of neighbours and of doubled pairs.
    """
    owners, after, _, heads = borders
    unlink(borders, kept, 2 * merged + (0 if owners[2 * merged] == kept else 1))
    unlink(borders, gone, 2 * merged + (0 if owners[2 * merged] == gone else 1))
    n = extra = 0
    # `seen` holds the number of the merge, so that it never has to be cleared.
    half = heads[kept]
    while half >= 0:
        others[n], pairs[n] = owners[half ^ 1], half >> 1
        seen[others[n]] = made
        n += 1
        half = after[half]
    known = n
    half = heads[gone]
    while half >= 0:
        following = after[half]  # read first: `prepend` below changes it
        other = owners[half ^ 1]
        if seen[other] == made:
            unlink(borders, other, half ^ 1)
            doubled[extra] = half >> 1
            extra += 1
        else:
            others[n], pairs[n] = other, half >> 1
            n += 1
            owners[half] = kept
            prepend(borders, kept, half)
        half = following
    for m in range(known, n):
        seen[others[m]] = made
    return n, extra


@kernel
def _touches_equal(
    heap: Heap, count: int, borders: Borders, best: np.float32, seen: np.ndarray, made: int
) -> bool:
    """Whether a pair as similar as the one that merged has a region next to it.

    Equal pairs stand together at the top of the heap; more than a few count as touching.
    """
    waiting = np.empty(64, np.int64)
    waiting[0] = 0
    n = 1
    while n > 0:
        n -= 1
        at = waiting[n]
        pair = heap.pairs[at]
        if heap.similarities[pair] != best:
            continue
        one, other = borders.owners[2 * pair], borders.owners[2 * pair + 1]
        if seen[one] == made or seen[other] == made or n > 60:
            return True
        for below in range(2 * at + 1, min(2 * at + 3, count)):
            waiting[n] = below
            n += 1
    return False
