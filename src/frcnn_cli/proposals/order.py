"""The order of proposals: selective search's rule, with a seed of ours, and unlike boxes first.

Selective search ranks a region by its place in the hierarchy of merges (the whole image is
1) times a random number, so that large regions tend to come first and the small ones of one
colour space do not crowd out those of the others (Uijlings et al. 2013, §4.4). OpenCV draws that
number from the C library's global generator. Here decreasing area stands for the place in the
hierarchy, and the draws come from a seed, so the order depends on the set of boxes alone.

Many boxes are nearly the same, and the first few hundred should not be. So those that overlap no
better one by an IoU above 0.5 come first, then those that overlap none above 0.7, then the rest.
That does what the draws were for, and better: only their fourth root is left, by which one box in
sixteen has its rank halved or better. docs/log.md has the figures.

Nothing here is rounded but square roots and products, as IEEE has them: any platform agrees.
"""

from __future__ import annotations

from typing import Final

import numpy as np
import numpy.typing as npt

STAGES: Final = (5, 7)
"""Tenths of IoU that no two boxes exceed up to the end of a stage."""
CROWD: Final = 16384
"""Boxes, by rank, that are kept apart: the time grows with their square."""
_BLOCK: Final = 64


def unique_by_area(boxes: npt.NDArray[np.int32]) -> npt.NDArray[np.int32]:
    """Returns the distinct boxes (N, 4) by decreasing area, ties by their coordinates.

    Args:
        boxes: (M, 4) xyxy in whole pixels, in any order.
    """
    distinct = np.unique(boxes.reshape(-1, 4), axis=0)
    return distinct[np.argsort(-_areas(distinct), kind="stable")]


def best_first(boxes: npt.NDArray[np.int32], seed: int) -> npt.NDArray[np.int32]:
    """Returns the distinct boxes (N, 4), best first: the same in any process on any platform.

    Args:
        boxes: (M, 4) xyxy in whole pixels, in any order.
        seed: another seed is another draw of the same rule.
    """
    candidates = unique_by_area(boxes)
    draws = np.random.Generator(np.random.PCG64(seed)).random(len(candidates))
    ranks = np.sqrt(np.sqrt(draws)) * np.arange(1, len(candidates) + 1)
    ranked = candidates[np.argsort(ranks, kind="stable")]
    crowd, rest = ranked[:CROWD], ranked[CROWD:]
    known = 0
    for tenths in STAGES:
        apart = keeps_apart(crowd, tenths, known)
        crowd = np.concatenate((crowd[apart], crowd[~apart]))
        known = int(apart.sum())
    return np.concatenate((crowd, rest))


def keeps_apart(boxes: npt.NDArray[np.int32], tenths: int, known: int = 0) -> npt.NDArray[np.bool_]:
    """Returns (N,) whether each box is kept by greedy non-maximum suppression, best first.

    Args:
        boxes: (N, 4) xyxy in whole pixels, best first.
        tenths: of the largest IoU that two kept boxes have.
        known: so many of the first boxes are known to be kept.
    """
    most = 2 * (tenths + 10) * int(_areas(boxes).max(initial=0))
    columns = _columns(boxes, np.int32 if most < 2**31 else np.int64)
    kept = columns.copy()
    count = known
    apart = np.ones(len(boxes), np.bool_)
    for first in range(known, len(boxes), _BLOCK):
        block = columns[:, first : first + _BLOCK]
        taken = _overlap(kept[:, :count], block, tenths).any(axis=0)
        free: npt.NDArray[np.bool_] = np.asarray(~taken)
        own = np.triu(_overlap(block, block, tenths), 1)
        for i in np.flatnonzero(own.any(axis=1)):
            if free[i]:
                free &= ~own[i]
        apart[first : first + _BLOCK] = free
        chosen = block[:, free]
        kept[:, count : count + chosen.shape[1]] = chosen
        count += chosen.shape[1]
    return apart


def _areas(boxes: npt.NDArray[np.int32]) -> npt.NDArray[np.int64]:
    areas: npt.NDArray[np.int64] = (boxes[:, 2:] - boxes[:, :2]).astype(np.int64).prod(axis=1)
    return areas


def _columns(boxes: npt.NDArray[np.int32], dtype: npt.DTypeLike) -> npt.NDArray[np.signedinteger]:
    """Returns (5, N): left, top, right, bottom and area of boxes (N, 4)."""
    return np.ascontiguousarray(np.column_stack((boxes, _areas(boxes))).T.astype(dtype))


def _overlap(
    one: npt.NDArray[np.signedinteger], other: npt.NDArray[np.signedinteger], tenths: int
) -> npt.NDArray[np.bool_]:
    """Returns (N, M) whether boxes (5, N) and (5, M) have an IoU above `tenths` of 1."""
    x1, y1, x2, y2, area = one[:, :, None]
    u1, v1, u2, v2, other_area = other[:, None, :]
    width = np.minimum(x2, u2)
    width -= np.maximum(x1, u1)
    height = np.minimum(y2, v2)
    height -= np.maximum(y1, v1)
    common = np.maximum(width, 0, out=width)
    common *= np.maximum(height, 0, out=height)
    common *= 10 + tenths
    found: npt.NDArray[np.bool_] = common > tenths * area + tenths * other_area
    return found
