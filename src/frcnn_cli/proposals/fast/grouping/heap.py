"""A heap of pairs by similarity, the most similar first, in which any pair can be found."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from frcnn_cli.proposals.fast.numba_kernels.arrays import counted
from frcnn_cli.proposals.fast.numba_kernels.jit import kernel


class Heap(NamedTuple):
    """The pairs that can merge. Its size is the caller's to keep."""

    pairs: np.ndarray
    """(E,) int32: pairs, each no more similar than the one at (i - 1) // 2."""
    places: np.ndarray
    """(E,) int32: where each pair stands."""
    similarities: np.ndarray
    """(E,) float32 of each pair."""


@kernel
def heapify(similarities: np.ndarray) -> Heap:
    """Builds the heap of all E pairs; `similarities` (E,) float32 are kept, not copied."""
    count = similarities.size
    heap = Heap(counted(count), counted(count), similarities)
    for at in range(count // 2 - 1, -1, -1):
        _sift_down(heap, at, count)
    return heap


@kernel
def drop(heap: Heap, pair: int, count: int) -> int:
    """Takes a pair out of a heap of `count`; returns how many are left.

    Args:
        heap: changed in place.
        pair: which the heap holds.
        count: pairs in the heap.
    """
    at = heap.places[pair]
    count -= 1
    if at != count:
        last = heap.pairs[count]
        heap.pairs[at] = last
        heap.places[last] = at
        _sift_up(heap, at)
        _sift_down(heap, heap.places[last], count)
    return count


@kernel
def change(heap: Heap, pair: int, similarity: np.float32, count: int) -> None:
    """Gives a pair a new similarity.

    Args:
        heap: changed in place.
        pair: which the heap holds.
        similarity: the new one.
        count: pairs in the heap.
    """
    rises = similarity > heap.similarities[pair]
    heap.similarities[pair] = similarity
    if rises:
        _sift_up(heap, heap.places[pair])
    else:
        _sift_down(heap, heap.places[pair], count)


@kernel
def is_tied(heap: Heap, count: int) -> bool:
    """Whether the most similar pair has an equal: one of the two below it would be equal too."""
    top = heap.similarities[heap.pairs[0]]
    for below in range(1, min(3, count)):
        if heap.similarities[heap.pairs[below]] == top:
            return True
    return False


@kernel
def _sift_up(heap: Heap, at: int) -> None:
    pairs, places, similarities = heap
    pair = pairs[at]
    while at > 0:
        above = (at - 1) >> 1
        if similarities[pairs[above]] >= similarities[pair]:
            break
        pairs[at] = pairs[above]
        places[pairs[at]] = at
        at = above
    pairs[at] = pair
    places[pair] = at


@kernel
def _sift_down(heap: Heap, at: int, count: int) -> None:
    pairs, places, similarities = heap
    pair = pairs[at]
    while True:
        below = 2 * at + 1
        if below + 1 < count and similarities[pairs[below + 1]] > similarities[pairs[below]]:
            below += 1
        if below >= count or similarities[pairs[below]] <= similarities[pair]:
            break
        pairs[at] = pairs[below]
        places[pairs[at]] = at
        at = below
    pairs[at] = pair
    places[pair] = at
