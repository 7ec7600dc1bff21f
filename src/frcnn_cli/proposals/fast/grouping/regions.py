"""Regions of a segmentation as the grouping needs them: sizes, boxes, histograms, neighbours."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from frcnn_cli.proposals.fast.numba_kernels.jit import kernel
from frcnn_cli.proposals.fast.textures import COLOUR_BINS, TEXTURE_BINS, PixelCodes


class Regions(NamedTuple):
    """The N regions of a segmentation of an image of C channels, and the E pairs that touch."""

    sizes: np.ndarray
    """(N,) int32, pixels."""
    boxes: np.ndarray
    """(N, 4) int32 xyxy, 0-based pixel edges."""
    colours: np.ndarray
    """(N, 25 C) float32 histograms that sum to 1."""
    textures: np.ndarray
    """(N, 80 C) float32 histograms that sum to 1."""
    pairs: np.ndarray
    """(E, 2) int32, each row rising, rows sorted."""
    area: int
    """Pixels of the image."""


def describe_regions(labels: np.ndarray, count: int, codes: PixelCodes) -> Regions:
    """Describes the regions of a segmentation.

    Args:
        labels: (H, W) int32 in 0..count - 1, each used.
        count: number of regions, N.
        codes: the image's codes.
    """
    flat = labels.ravel()
    sizes, boxes = _measure(labels, count)
    colours = _count_colours(flat, codes.colour, count)
    textures = _count_textures(flat, codes.texture, count)
    return Regions(
        sizes,
        boxes,
        _normalise_colours(colours.astype(np.float32)),
        _normalise_textures(textures, codes.zero_bins, sizes),
        _touching(labels),
        flat.size,
    )


@kernel
def _measure(labels: np.ndarray, count: int) -> tuple[np.ndarray, np.ndarray]:
    """Returns (N,) int32 sizes and (N, 4) int32 boxes."""
    height, width = labels.shape
    sizes = np.zeros(count, np.int32)
    boxes = np.empty((count, 4), np.int32)
    for region in range(count):
        boxes[region, 0], boxes[region, 1] = width, height
        boxes[region, 2], boxes[region, 3] = 0, 0
    for y in range(height):
        for x in range(width):
            region = labels[y, x]
            sizes[region] += 1
            box = boxes[region]
            box[0] = min(box[0], x)
            box[1] = min(box[1], y)
            box[2] = max(box[2], x + 1)
            box[3] = max(box[3], y + 1)
    return sizes, boxes


@kernel
def _count_colours(labels: np.ndarray, codes: np.ndarray, count: int) -> np.ndarray:
    """Returns (N, 25 C) int32 counts."""
    channels = codes.shape[1]
    counts = np.zeros((count, COLOUR_BINS * channels), np.int32)
    for pixel in range(labels.size):
        row = counts[labels[pixel]]
        for channel in range(channels):
            row[COLOUR_BINS * channel + codes[pixel, channel]] += 1
    return counts


@kernel
def _count_textures(labels: np.ndarray, codes: np.ndarray, count: int) -> np.ndarray:
    """Returns (N, 80 C) int32 counts of the codes: 20 for each derivative."""
    derivatives = codes.shape[0]
    bins = 2 * TEXTURE_BINS
    counts = np.zeros((count, bins * derivatives), np.int32)
    for pixel in range(labels.size):
        row = counts[labels[pixel]]
        for derivative in range(derivatives):
            row[bins * derivative + codes[derivative, pixel]] += 1
    return counts


@kernel
def _normalise_colours(histograms: np.ndarray) -> np.ndarray:
    """Divides each row of float32 by its sum, which is taken in OpenCV's order."""
    for row in histograms:
        total = np.float32(0)
        for value in row:
            total += value
        for i in range(row.size):
            row[i] /= total
    return histograms


@kernel
def _normalise_textures(counts: np.ndarray, zero_bins: np.ndarray, sizes: np.ndarray) -> np.ndarray:
    """Completes both parts of each derivative, puts the positive first, and divides by the sum."""
    histograms = np.empty(counts.shape, np.float32)
    for region in range(counts.shape[0]):
        size = sizes[region]
        total = np.float32(2 * zero_bins.shape[0] * size)
        for derivative in range(zero_bins.shape[0]):
            first = 2 * TEXTURE_BINS * derivative
            middle = first + TEXTURE_BINS
            down = counts[region, first:middle]
            up = counts[region, middle : middle + TEXTURE_BINS]
            positive = 0
            for i in range(TEXTURE_BINS):
                positive += up[i]
            down[zero_bins[derivative, 0]] += positive
            up[zero_bins[derivative, 1]] += size - positive
            for i in range(TEXTURE_BINS):
                histograms[region, first + i] = np.float32(up[i]) / total
                histograms[region, middle + i] = np.float32(down[i]) / total
    return histograms


def _touching(labels: np.ndarray) -> np.ndarray:
    """Returns the (E, 2) int32 pairs of regions that touch, as OpenCV looks for them.

    Each pixel beyond the first row and column looks left, up and to the upper left: pixels that
    touch only within the first row or column, or along the other diagonal, are not neighbours.
    """
    pairs = np.unique(_border_pairs(labels))
    return np.stack((pairs >> 32, pairs & 0xFFFFFFFF), axis=1).astype(np.int32)


@kernel
def _border_pairs(labels: np.ndarray) -> np.ndarray:
    """Returns (B,) int64 pairs, the lower region in the upper half of the bits; few repeat.

    Where a straight border goes on, or inside a region, a pixel has nothing to add: corners are
    found first, without a branch.
    """
    height, width = labels.shape
    corners = np.empty(width, np.int64)
    found = np.empty(4096, np.int64)
    recent = np.zeros(4096, np.int64)
    n = 0
    for y in range(1, height):
        row, above = labels[y], labels[y - 1]
        count = 0
        for x in range(1, width):
            down = (row[x] ^ above[x]) | (row[x - 1] ^ above[x - 1])
            right = (row[x] ^ row[x - 1]) | (above[x] ^ above[x - 1])
            corners[count] = x
            count += ((down != 0) | (y == 1)) & ((right != 0) | (x == 1))
        if n + 3 * count > found.size:
            grown = np.empty(2 * (n + 3 * count), np.int64)
            for i in range(n):
                grown[i] = found[i]
            found = grown
        for x in corners[:count]:
            here = np.int64(row[x])
            for there in (row[x - 1], above[x], above[x - 1]):
                low, high = min(here, np.int64(there)), max(here, np.int64(there))
                pair = (low << 32) | high
                place = (low * 31 + high) & 4095
                if low != high and recent[place] != pair:
                    recent[place] = pair
                    found[n] = pair
                    n += 1
    return found[:n]
