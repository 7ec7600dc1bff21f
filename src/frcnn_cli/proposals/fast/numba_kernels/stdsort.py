"""The order in which C++'s `std::sort` leaves equal keys.

OpenCV sorts with `std::sort`, which promises nothing about equal keys, and then reads the order as
if it meant something. Its Linux builds use GNU's libstdc++: introsort (Musser, 1997) with the
median of three as pivot down to ranges of 16, heap sort beyond a depth of 2 log2 n, and one
insertion sort over the whole array at the end. Following the same steps gives the same order.

Keys are int64 whose upper 32 bits are compared: the bits of a float32 that is not negative, which
order like the float. The lower 32 bits are cargo.
"""

from __future__ import annotations

from typing import Final

import numpy as np

from frcnn_cli.proposals.fast.numba_kernels.jit import inlined, kernel

SMALL: Final = 16
"""Ranges up to this length are left to the insertion sort."""
BLOCK: Final = 64
"""Keys that are looked at before they are swapped."""
MIN_VALUE: Final = -(1 << 31)
MAX_VALUE: Final = (1 << 31) - 1


@inlined
def _less(a: int, b: int) -> bool:
    return (a >> 32) < (b >> 32)


@kernel
def std_sort(keys: np.ndarray) -> None:
    """Sorts (M,) int64 keys in place by their upper halves, as libstdc++ would."""
    _introsort(keys, keys[:0], keys[:0])
    _insertion_sort(keys)


@kernel
def tie_order(keys: np.ndarray, wanted: np.ndarray) -> np.ndarray:
    """The order in which `std_sort` would leave the keys of some values, without sorting the rest.

    Args:
        keys: (M,) int64 in the order before sorting; left half-sorted.
        wanted: (T,) int64 upper halves, rising and distinct, T > 0.

    Returns:
        The keys with these upper halves, sorted.
    """
    found = np.empty(keys.size, np.int64)
    found = found[: _introsort(keys, wanted, found)]
    _insertion_sort(found)  # stable, like the one that ends std::sort
    return found


@kernel
def _introsort(keys: np.ndarray, wanted: np.ndarray, found: np.ndarray) -> int:
    """Introsort without its last insertion sort.

    With `wanted` values, ranges that cannot hold one are left alone, and the keys that have one are
    copied to `found` in the order of their places; returns their number.
    """
    stack = np.empty((130, 5), np.int64)  # ranges to come: first, last, depth left, least, most
    _put(stack, 0, 0, keys.size, 2 * _log2(keys.size), MIN_VALUE, MAX_VALUE)
    waiting = 1
    count = 0
    while waiting:
        waiting -= 1
        first, last, depth = stack[waiting, 0], stack[waiting, 1], stack[waiting, 2]
        least, most = stack[waiting, 3], stack[waiting, 4]
        while _holds(wanted, least, most):
            if last - first > SMALL and depth > 0:
                depth -= 1
                cut, pivot = _partition(keys, first, last, wanted.size > 0)
                # C++ goes on with the right part; no range sees another, and we want left to right.
                _put(stack, waiting, cut, last, depth, pivot, most)
                waiting += 1
                last, most = cut, pivot
                continue
            if last - first > SMALL:
                _heap_sort(keys[first:last])
            if wanted.size > 0:
                for i in range(first, last):
                    value = keys[i] >> 32
                    if _holds(wanted, value, value):
                        found[count] = keys[i]
                        count += 1
            break
    return count


@inlined
def _put(
    stack: np.ndarray, at: int, first: int, last: int, depth: int, least: int, most: int
) -> None:
    stack[at, 0], stack[at, 1], stack[at, 2] = first, last, depth
    stack[at, 3], stack[at, 4] = least, most


@kernel
def _holds(wanted: np.ndarray, least: int, most: int) -> bool:
    """Whether a wanted value lies in least..most; always, if none is named."""
    if wanted.size == 0:
        return True
    low, high = 0, wanted.size
    while low < high:
        middle = (low + high) // 2
        if wanted[middle] < least:
            low = middle + 1
        else:
            high = middle
    return low < wanted.size and wanted[low] <= most


@kernel
def _log2(n: int) -> int:
    bits = -1
    while n:
        n >>= 1
        bits += 1
    return bits


@kernel
def _partition(keys: np.ndarray, first: int, last: int, by_blocks: bool) -> tuple[int, int]:
    """Hoare's partition around the median of three, put first; returns the cut and the pivot.

    Going by blocks changes nothing but the time: less for keys in any order, more for those that
    are nearly sorted, whose comparisons a processor foresees.
    """
    a, b, c = first + 1, first + (last - first) // 2, last - 1
    if _less(keys[a], keys[b]):
        middle = b if _less(keys[b], keys[c]) else (c if _less(keys[a], keys[c]) else a)
    else:
        middle = a if _less(keys[a], keys[c]) else (c if _less(keys[b], keys[c]) else b)
    keys[first], keys[middle] = keys[middle], keys[first]
    pivot = keys[first] >> 32
    low, high = first + 1, last
    if by_blocks:
        low, high = _swap_blocks(keys, low, high, pivot)
    while True:
        while (keys[low] >> 32) < pivot:
            low += 1
        high -= 1
        while pivot < (keys[high] >> 32):
            high -= 1
        if low >= high:
            return low, pivot
        keys[low], keys[high] = keys[high], keys[low]
        low += 1


@kernel
def _swap_blocks(keys: np.ndarray, low: int, high: int, pivot: int) -> tuple[int, int]:
    """Does most of Hoare's swaps: the same ones, without a branch that depends on a key.

    The keys of a block at either end that must go to the other side are listed first, and then
    swapped in pairs (Edelkamp and Weiß, BlockQuicksort, 2016).

    Returns:
        Where the search from the left and the search from the right go on.
    """
    left = np.empty(BLOCK, np.int64)
    right = np.empty(BLOCK, np.int64)
    i = j = lefts = rights = 0
    while high - low >= 2 * BLOCK:
        if i == lefts:
            i = lefts = 0
            for at in range(low, low + BLOCK):
                left[lefts] = at
                lefts += (keys[at] >> 32) >= pivot
        if j == rights:
            j = rights = 0
            for at in range(high - 1, high - 1 - BLOCK, -1):
                right[rights] = at
                rights += (keys[at] >> 32) <= pivot
        for _ in range(min(lefts - i, rights - j)):
            keys[left[i]], keys[right[j]] = keys[right[j]], keys[left[i]]
            i += 1
            j += 1
        if i == lefts:
            low += BLOCK
        if j == rights:
            high -= BLOCK
    return (left[i] if i < lefts else low), (right[j] + 1 if j < rights else high)


@kernel
def _insertion_sort(keys: np.ndarray) -> None:
    for i in range(1, keys.size):
        key = keys[i]
        at = i
        while at > 0 and _less(key, keys[at - 1]):
            keys[at] = keys[at - 1]
            at -= 1
        keys[at] = key


@kernel
def _heap_sort(keys: np.ndarray) -> None:
    count = keys.size
    for parent in range((count - 2) // 2, -1, -1):
        _settle(keys, parent, count, keys[parent])
    for last in range(count - 1, 0, -1):
        key = keys[last]
        keys[last] = keys[0]
        _settle(keys, 0, last, key)


@kernel
def _settle(keys: np.ndarray, hole: int, count: int, key: int) -> None:
    """Moves the hole down to a leaf along the larger children, then `key` up from there."""
    top = hole
    child = hole
    while child < (count - 1) // 2:
        child = 2 * (child + 1)
        if _less(keys[child], keys[child - 1]):
            child -= 1
        keys[hole] = keys[child]
        hole = child
    if count % 2 == 0 and child == (count - 2) // 2:
        child = 2 * (child + 1)
        keys[hole] = keys[child - 1]
        hole = child - 1
    while hole > top and _less(keys[(hole - 1) // 2], key):
        keys[hole] = keys[(hole - 1) // 2]
        hole = (hole - 1) // 2
    keys[hole] = key
