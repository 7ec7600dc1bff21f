"""Grouping by OpenCV's sorted list, step by step, for when equal similarities decide.

`grouping` keeps the pairs in a heap, where equally similar ones have no order. OpenCV sorts its
list of pairs before each merge and takes the last, so where several are equal, its choice follows
from `std::sort`. Repeating that choice takes the list itself: the time grows with segments x pairs.
"""

from __future__ import annotations

import numpy as np

from frcnn_cli.proposals.fast.grouping.regions import Regions
from frcnn_cli.proposals.fast.grouping.similarity import absorb, compare, compare_pairs
from frcnn_cli.proposals.fast.numba_kernels.arrays import filled
from frcnn_cli.proposals.fast.numba_kernels.jit import kernel
from frcnn_cli.proposals.fast.numba_kernels.stdsort import std_sort

SLOT = 0xFFFFFFFF
"""Mask of a pair's slot in a key; the bits of its similarity are above."""


@kernel
def group_sorted(regions: Regions, weights: np.ndarray, boxes: np.ndarray) -> int:
    """Merges the most similar neighbours until no pair is left.

    Args:
        regions: N regions, changed in place.
        weights: (5,) float32 of a strategy.
        boxes: (2 N - 1, 4) int32; those of merged regions are written after the first N.

    Returns:
        The number of boxes.
    """
    count = regions.sizes.size
    made = count
    similarities = compare_pairs(regions, weights)
    left = similarities.size
    bits = similarities.view(np.int32)
    keys = np.empty(left, np.int64)
    for slot in range(left):
        keys[slot] = (np.int64(bits[slot]) << 32) | slot
    slots = regions.pairs  # the rows of each pair
    free = np.empty(left, np.int32)  # slots of pairs that the current merge ends
    others = np.empty(count, np.int32)
    seen = filled(count, -1)
    scratch = np.empty(count, np.float32)
    fresh = np.empty(count, np.float32)
    while left > 0:
        std_sort(keys[:left])
        top = slots[keys[left - 1] & SLOT]
        kept, gone = min(top[0], top[1]), max(top[0], top[1])
        absorb(regions, weights, kept, gone)
        for edge in range(4):
            boxes[made, edge] = regions.boxes[kept, edge]
        left, n = _take_out(keys[:left], slots, kept, gone, made, free, others, seen)
        compare(regions, weights, kept, others[:n], scratch, fresh[:n])
        bits = fresh.view(np.int32)
        for m in range(n):
            slots[free[m], 0], slots[free[m], 1] = kept, others[m]
            keys[left] = (np.int64(bits[m]) << 32) | free[m]
            left += 1
        made += 1
    return made


@kernel
def _take_out(
    keys: np.ndarray,
    slots: np.ndarray,
    kept: int,
    gone: int,
    made: int,
    free: np.ndarray,
    others: np.ndarray,
    seen: np.ndarray,
) -> tuple[int, int]:
    """Removes the pairs of two rows from the list, and collects their other rows and their slots.

    Returns:
        The number of pairs that stay and of other rows, each once, in the list's order.
    """
    stay = n = freed = 0
    seen[kept] = seen[gone] = made
    for key in keys:
        slot = key & SLOT
        a, b = slots[slot, 0], slots[slot, 1]
        if a != kept and a != gone and b != kept and b != gone:
            keys[stay] = key
            stay += 1
            continue
        free[freed] = slot
        freed += 1
        other = b if a in (kept, gone) else a
        if seen[other] != made:
            seen[other] = made
            others[n] = other
            n += 1
    return stay, n
