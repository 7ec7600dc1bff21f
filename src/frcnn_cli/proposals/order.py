"""The order of proposals: selective search's rule, with a seed of ours.

Selective search ranks a region by its place in the hierarchy of merges (the whole photograph is
1) times a random number, so that large regions tend to come first and the small ones of one
colour space do not crowd out those of the others (Uijlings et al. 2013, §4.4). OpenCV draws that
number from the C library's global generator. Here falling area stands for the place in the
hierarchy, and the draws come from a seed, so the order depends on the set of boxes alone.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt


def unique_by_area(boxes: npt.NDArray[np.int32]) -> npt.NDArray[np.int32]:
    """Returns the distinct boxes (N, 4) by falling area, ties by their coordinates.

    Args:
        boxes: (M, 4) xyxy in whole pixels, in any order.
    """
    distinct = np.unique(boxes.reshape(-1, 4), axis=0)
    sides = (distinct[:, 2:] - distinct[:, :2]).astype(np.int64)
    return distinct[np.argsort(-sides.prod(axis=1), kind="stable")]


def best_first(boxes: npt.NDArray[np.int32], seed: int) -> npt.NDArray[np.int32]:
    """Returns the distinct boxes (N, 4), best first: the same in any process on any platform.

    Args:
        boxes: (M, 4) xyxy in whole pixels, in any order.
        seed: another seed is another draw of the same rule.
    """
    candidates = unique_by_area(boxes)
    draws = np.random.Generator(np.random.PCG64(seed)).random(len(candidates))
    ranks = draws * np.arange(1, len(candidates) + 1)
    return candidates[np.argsort(ranks, kind="stable")]
