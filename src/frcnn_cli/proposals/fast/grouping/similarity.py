"""Similarity of two regions (Uijlings et al., IJCV 2013 §3.2), in OpenCV's float32.

A strategy is a row of four weights (colour, fill, texture, size) and their sum: the measures are
added in this order and divided by the sum. A weight of 0 leaves a measure out. Results equal
OpenCV's bit for bit because every sum keeps its order; several regions are compared at once, each
in a sum of its own, to fill the processor.
"""

from __future__ import annotations

from typing import Final

import numpy as np

from frcnn_cli.proposals.fast.grouping.regions import Regions
from frcnn_cli.proposals.fast.numba_kernels.jit import kernel

COLOUR: Final = 0
FILL: Final = 1
TEXTURE: Final = 2
SIZE: Final = 3
SUM: Final = 4
"""Columns of a strategy."""


def strategy(*measures: int) -> np.ndarray:
    """The (5,) float32 weights of a mix and their sum, as OpenCV's factories set them."""
    weights = np.zeros(5, np.float32)
    weights[list(measures)] = {1: 1.0, 2: 0.5, 3: 0.3333, 4: 0.25}[len(measures)]
    for weight in weights[:SUM]:
        weights[SUM] += weight
    return weights


def working_copy(regions: Regions, weights: np.ndarray) -> Regions:
    """Regions that a grouping may change; histograms that its strategy ignores stay shared.

    Args:
        regions: of a segmentation.
        weights: (5,) float32, from `strategy`.
    """
    return regions._replace(
        sizes=regions.sizes.copy(),
        boxes=regions.boxes.copy(),
        pairs=regions.pairs.copy(),
        colours=regions.colours.copy() if weights[COLOUR] else regions.colours,
        textures=regions.textures.copy() if weights[TEXTURE] else regions.textures,
    )


@kernel
def compare(
    regions: Regions,
    weights: np.ndarray,
    one: int,
    others: np.ndarray,
    scratch: np.ndarray,
    out: np.ndarray,
) -> None:
    """Similarities of region `one` to each of `others`, (M,) int32, into `out`, (M,) float32.

    Args:
        regions: the regions.
        weights: (5,) float32 of a strategy.
        one: a region.
        others: (M,) int32 regions.
        scratch: (≥ M,) float32, overwritten.
        out: (M,) float32, overwritten.
    """
    count = others.size
    for m in range(count):
        out[m] = 0
    if weights[COLOUR] > 0:
        _overlap(regions.colours, one, others, scratch)
        for m in range(count):
            out[m] += weights[COLOUR] * scratch[m]
    if weights[FILL] > 0:
        for m in range(count):
            out[m] += weights[FILL] * _fill(regions, one, others[m])
    if weights[TEXTURE] > 0:
        _overlap(regions.textures, one, others, scratch)
        for m in range(count):
            out[m] += weights[TEXTURE] * scratch[m]
    if weights[SIZE] > 0:
        for m in range(count):
            size = regions.sizes[one] + regions.sizes[others[m]]
            out[m] += weights[SIZE] * _share_left(size, regions.area)
    for m in range(count):
        out[m] /= weights[SUM]


@kernel
def compare_pairs(regions: Regions, weights: np.ndarray) -> np.ndarray:
    """Similarities of all pairs, (E,) float32."""
    pairs = regions.pairs
    similarities = np.empty(pairs.shape[0], np.float32)
    scratch = np.empty(pairs.shape[0], np.float32)
    others = np.empty(pairs.shape[0], np.int32)
    for pair in range(pairs.shape[0]):
        others[pair] = pairs[pair, 1]
    first = 0
    while first < pairs.shape[0]:
        region = pairs[first, 0]
        last = first
        while last < pairs.shape[0] and pairs[last, 0] == region:
            last += 1
        found = similarities[first:last]
        compare(regions, weights, region, others[first:last], scratch, found)
        first = last
    return similarities


@kernel
def absorb(regions: Regions, weights: np.ndarray, kept: int, gone: int) -> None:
    """Merges region `gone` into region `kept`.

    Args:
        regions: changed in place.
        weights: (5,) float32 of a strategy: what weighs nothing is not merged.
        kept: a region.
        gone: a region, which is not valid afterwards.
    """
    sizes, boxes = regions.sizes, regions.boxes
    if weights[COLOUR] > 0:
        _mix(regions.colours, kept, gone, sizes)
    if weights[TEXTURE] > 0:
        _mix(regions.textures, kept, gone, sizes)
    sizes[kept] += sizes[gone]
    boxes[kept, 0] = min(boxes[kept, 0], boxes[gone, 0])
    boxes[kept, 1] = min(boxes[kept, 1], boxes[gone, 1])
    boxes[kept, 2] = max(boxes[kept, 2], boxes[gone, 2])
    boxes[kept, 3] = max(boxes[kept, 3], boxes[gone, 3])


@kernel
def _overlap(histograms: np.ndarray, one: int, others: np.ndarray, out: np.ndarray) -> None:
    """Histogram intersections of row `one` with rows `others`; four sums run side by side."""
    mine = histograms[one]
    count = others.size
    m = 0
    while m + 4 <= count:
        a, b = histograms[others[m]], histograms[others[m + 1]]
        c, d = histograms[others[m + 2]], histograms[others[m + 3]]
        sum_a = sum_b = sum_c = sum_d = np.float32(0)
        for i in range(mine.size):
            sum_a += min(mine[i], a[i])
            sum_b += min(mine[i], b[i])
            sum_c += min(mine[i], c[i])
            sum_d += min(mine[i], d[i])
        out[m], out[m + 1], out[m + 2], out[m + 3] = sum_a, sum_b, sum_c, sum_d
        m += 4
    while m < count:
        a = histograms[others[m]]
        sum_a = np.float32(0)
        for i in range(mine.size):
            sum_a += min(mine[i], a[i])
        out[m] = sum_a
        m += 1


@kernel
def _fill(regions: Regions, a: int, b: int) -> np.float32:
    """Similarity of fit: 1 minus the share of the joint box outside both regions, 0..1."""
    boxes, sizes = regions.boxes, regions.sizes
    width = max(boxes[a, 2], boxes[b, 2]) - min(boxes[a, 0], boxes[b, 0])
    height = max(boxes[a, 3], boxes[b, 3]) - min(boxes[a, 1], boxes[b, 1])
    return _share_left(width * height - sizes[a] - sizes[b], regions.area)


@kernel
def _share_left(pixels: int, area: int) -> np.float32:
    """The share of the image that is not these pixels, 0..1."""
    left = np.float32(1) - np.float32(np.int32(pixels)) / np.float32(area)
    return max(min(left, np.float32(1)), np.float32(0))


@kernel
def _mix(histograms: np.ndarray, kept: int, gone: int, sizes: np.ndarray) -> None:
    """Sets row `kept` to the mean of both rows, weighted by the regions' sizes."""
    weight_kept, weight_gone = np.float32(sizes[kept]), np.float32(sizes[gone])
    total = np.float32(sizes[kept] + sizes[gone])
    a, b = histograms[kept], histograms[gone]
    for i in range(a.size):
        a[i] = (a[i] * weight_kept + b[i] * weight_gone) / total
