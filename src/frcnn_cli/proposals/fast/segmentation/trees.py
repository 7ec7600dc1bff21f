"""Disjoint sets (union by size, path halving) in one array.

A tree is an int32 for each element: its parent, or minus the component's size at its root.
"""

from __future__ import annotations

import numpy as np

from frcnn_cli.proposals.fast.numba_kernels.jit import inlined


@inlined
def root_of(tree: np.ndarray, pixel: int) -> int:
    """The root of a pixel's component; `tree` (N,) int32 is changed in place."""
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
def join(tree: np.ndarray, a: int, b: int) -> int:
    """Joins two roots, the smaller below the larger; returns the root of both.

    Args:
        tree: (N,) int32, changed in place.
        a: a root.
        b: another root.
    """
    if tree[a] > tree[b]:
        a, b = b, a
    tree[a] += tree[b]
    tree[b] = a
    return a
