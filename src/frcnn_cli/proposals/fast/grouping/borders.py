"""Neighbours of each region, while regions merge.

Half 2 e of pair e belongs to one of its regions and half 2 e + 1 to the other, so the region
across half h is `owners[h ^ 1]`. Each region links its halves in a list. Merging relabels halves;
nothing is ever allocated.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from frcnn_cli.proposals.fast.numba_kernels.arrays import filled
from frcnn_cli.proposals.fast.numba_kernels.jit import kernel


class Borders(NamedTuple):
    """Linked lists of half-pairs; -1 ends a list."""

    owners: np.ndarray
    """(2 E,) int32: region of a half."""
    after: np.ndarray
    """(2 E,) int32: next half of the same region."""
    before: np.ndarray
    """(2 E,) int32: previous half of the same region."""
    heads: np.ndarray
    """(N,) int32: first half of a region."""


@kernel
def link(pairs: np.ndarray, count: int) -> Borders:
    """Links the halves of (E, 2) int32 pairs, which are overwritten, among `count` regions."""
    halves = 2 * pairs.shape[0]
    borders = Borders(
        pairs.ravel(),
        filled(halves, -1),
        filled(halves, -1),
        filled(count, -1),
    )
    for half in range(halves):
        prepend(borders, borders.owners[half], half)
    return borders


@kernel
def prepend(borders: Borders, region: int, half: int) -> None:
    """Puts a half first in a region's list.

    Args:
        borders: changed in place.
        region: whose list it is.
        half: which no list holds.
    """
    _, after, before, heads = borders
    after[half] = heads[region]
    before[half] = -1
    if after[half] >= 0:
        before[after[half]] = half
    heads[region] = half


@kernel
def unlink(borders: Borders, region: int, half: int) -> None:
    """Takes a half out of a region's list.

    Args:
        borders: changed in place.
        region: whose list holds the half.
        half: the half.
    """
    _, after, before, heads = borders
    if before[half] >= 0:
        after[before[half]] = after[half]
    else:
        heads[region] = after[half]
    if after[half] >= 0:
        before[after[half]] = before[half]
