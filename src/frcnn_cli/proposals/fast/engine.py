"""Selective search (Uijlings et al., IJCV 2013) as OpenCV does it: a photograph to its regions.

The work falls into independent tasks: first a pixel graph and pixel codes for each colour space,
then a segmentation and its groupings for each space and scale. Threads run them side by side, since
the compiled kernels hold no lock; the results are the same for any number of threads.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np

from frcnn_cli.config import Preset
from frcnn_cli.proposals.fast.edges import EdgeGraph, build_graph
from frcnn_cli.proposals.fast.grouping import group
from frcnn_cli.proposals.fast.presets import PLANS, Plan, Space, convert
from frcnn_cli.proposals.fast.regions import describe_regions
from frcnn_cli.proposals.fast.segmentation import Scale, segment
from frcnn_cli.proposals.fast.textures import PixelCodes, encode_pixels

Map = Callable[[Callable[[Any], Any], Iterable[Any]], Iterator[Any]]


def find_regions(image: np.ndarray, preset: Preset, *, threads: int = 1) -> np.ndarray:
    """Grows all hierarchies of a preset.

    Args:
        image: (H, W, 3) uint8 RGB.
        preset: what to grow.
        threads: at most so many are used.

    Returns:
        (N, 4) int32 xyxy, 0-based pixel edges; boxes repeat.
    """
    assert image.ndim == 3 and image.shape[2] == 3 and image.dtype == np.uint8
    image = np.ascontiguousarray(image)
    plan = PLANS[preset]
    if threads <= 1:
        # One sweep segments all scales, which takes less time in all than one task a scale.
        return np.concatenate(_grow(image, plan, map, [plan.scales]))
    with ThreadPoolExecutor(min(threads, len(plan.spaces) * len(plan.scales))) as pool:
        return np.concatenate(_grow(image, plan, pool.map, [(scale,) for scale in plan.scales]))


def rehearse() -> None:
    """Searches a small picture with something of everything, so that every kernel is compiled."""
    rng = np.random.default_rng(0)
    picture = rng.integers(0, 256, (64, 96, 3), np.uint8)
    picture[:, 48:] = np.kron(rng.integers(0, 2, (16, 12, 1)) * 170 + 30, np.ones((4, 4, 3)))
    for preset in ("single", "quality"):
        find_regions(picture, preset)


def _grow(
    image: np.ndarray, plan: Plan, run: Map, batches: Iterable[Sequence[Scale]]
) -> list[np.ndarray]:
    """Returns the boxes of each hierarchy of a plan, in its order.

    Args:
        image: (H, W, 3) uint8 RGB.
        plan: what to grow.
        run: `map`, or an executor's.
        batches: the scales that are segmented together.
    """

    def prepare(space: Space) -> tuple[EdgeGraph, PixelCodes]:
        converted = convert(image, space)
        return build_graph(converted, plan.sigma), encode_pixels(converted)

    def finish(task: tuple[EdgeGraph, PixelCodes, Sequence[Scale]]) -> list[np.ndarray]:
        graph, codes, scales = task
        grown = []
        for segmentation in segment(graph, scales):
            regions = describe_regions(*segmentation, codes)
            grown += [group(regions, weights) for weights in plan.strategies]
        return grown

    tasks = ((*prepared, batch) for prepared in run(prepare, plan.spaces) for batch in batches)
    return [boxes for grown in run(finish, tasks) for boxes in grown]
