"""Selective search (Uijlings et al., IJCV 2013) as OpenCV does it: an image to its regions.

The work falls into independent tasks: the segmentations and the pixel codes of each colour space,
then the groupings of each segmentation. Threads run them side by side, since the compiled kernels
hold no lock; the results are the same for any number of threads.
"""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor

import numpy as np

from frcnn_cli.config import Preset
from frcnn_cli.proposals.fast.grouping import group
from frcnn_cli.proposals.fast.grouping.regions import describe_regions
from frcnn_cli.proposals.fast.numba_kernels.arrays import filled
from frcnn_cli.proposals.fast.numba_kernels.memory import Memory
from frcnn_cli.proposals.fast.presets import PLANS, Plan, Space, convert
from frcnn_cli.proposals.fast.segmentation import Segmentation, segment
from frcnn_cli.proposals.fast.segmentation.edges import build_graph
from frcnn_cli.proposals.fast.textures import PixelCodes, encode_pixels


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
    work = _Work(np.ascontiguousarray(image), PLANS[preset])
    return np.concatenate(work.alone() if threads <= 1 else work.shared(threads))


def must_compile() -> bool:
    """Returns whether machine code of an earlier process is missing."""
    filled(0, 0)
    return not filled.stats.cache_hits  # type: ignore[attr-defined]


def rehearse() -> None:
    """Searches a small picture with something of everything, so that every kernel is compiled."""
    rng = np.random.default_rng(0)
    picture = rng.integers(0, 256, (64, 96, 3), np.uint8)
    picture[:, 48:] = np.kron(rng.integers(0, 2, (16, 12, 1)) * 170 + 30, np.ones((4, 4, 3)))
    for preset in ("single", "quality"):
        find_regions(picture, preset)


class _Work:
    """The independent tasks of one search: most wait for two others at most."""

    def __init__(self, image: np.ndarray, plan: Plan) -> None:
        self._image = image
        self._plan = plan
        self._own = threading.local()

    def alone(self) -> list[np.ndarray]:
        """Returns the boxes of each hierarchy, in the order of the plan; one space at a time."""
        grown = []
        for space in self._plan.spaces:
            codes = self._encode(space)
            grown += [self._group(found, codes) for found in self._segment(space)]
        return [boxes for hierarchies in grown for boxes in hierarchies]

    def shared(self, threads: int) -> list[np.ndarray]:
        """Returns the same, found by several threads."""
        with ThreadPoolExecutor(threads) as pool:
            begun = [
                (pool.submit(self._segment, space), pool.submit(self._encode, space))
                for space in self._plan.spaces
            ]
            grown = [
                pool.submit(self._group, found, codes.result())
                for segmentations, codes in begun
                for found in segmentations.result()
            ]
            return [boxes for hierarchies in grown for boxes in hierarchies.result()]

    def _segment(self, space: Space) -> list[Segmentation]:
        if not hasattr(self._own, "memory"):
            self._own.memory = Memory()
        graph = build_graph(convert(self._image, space), self._plan.sigma, self._own.memory)
        return segment(graph, self._plan.scales)

    def _encode(self, space: Space) -> PixelCodes:
        return encode_pixels(convert(self._image, space))

    def _group(self, segmentation: Segmentation, codes: PixelCodes) -> list[np.ndarray]:
        regions = describe_regions(*segmentation, codes)
        return [group(regions, weights) for weights in self._plan.strategies]
