"""RoI max pooling and its gradient as Triton kernels, with the bits of `model.roi_pool`."""

from __future__ import annotations

import torch
import triton
import triton.language as tl
from torch import Tensor

_CHANNELS = 128
"""Largest number of channels of one program."""


def bin_maxima(
    features: Tensor, images: Tensor, corners: Tensor, size: int
) -> tuple[Tensor, Tensor]:
    """Returns what `bin_maxima_by_crops` does.

    Args:
        features: (B, C, H, W), of a float type of at most 32 bits.
        images: (R,) int64, index of each RoI's image.
        corners: (R, 4) int64, from `cell_corners`.
        size: P, bins per side.
    """
    batch, channels, height, width = features.shape
    cells = features.permute(0, 2, 3, 1).contiguous()
    values = cells.new_empty(len(corners), size, size, channels)
    winners = torch.empty_like(values, dtype=torch.long)
    if winners.numel():
        block = min(triton.next_power_of_2(channels), _CHANNELS)
        with torch.cuda.device_of(cells):  # type: ignore[no-untyped-call]  # where Triton launches
            bin_maxima_kernel[len(corners) * size * size, triton.cdiv(channels, block)](
                *(cells, images.int(), corners.int(), values, winners),
                *(batch * height * width, height, width, channels),
                size,
                block,
            )
    return values.permute(0, 3, 1, 2), winners.permute(0, 3, 1, 2)


def sum_into_cells(
    grad: Tensor, winners: Tensor, images: Tensor, corners: Tensor, shape: list[int]
) -> Tensor:
    """Returns the gradient (B, C, H, W) of the map, of the gradient (R, C, P, P) of the maxima.

    Each cell sums what it gets in order of RoI and bin, as a CPU does: every run the same.

    Args:
        grad: (R, C, P, P), of the maxima.
        winners: (R, C, P, P), from `bin_maxima`.
        images: (R,), as in `bin_maxima`.
        corners: (R, 4), as in `bin_maxima`.
        shape: of the map, B, C, H and W.
    """
    batch, channels, height, width = shape
    grads, places = (each.permute(0, 2, 3, 1).contiguous() for each in (grad, winners))
    sums = grads.new_empty(batch, height, width, channels, dtype=torch.float32)
    block = min(triton.next_power_of_2(channels), _CHANNELS)
    with torch.cuda.device_of(grads):  # type: ignore[no-untyped-call]
        sum_into_cells_kernel[batch * height * width, triton.cdiv(channels, block)](
            *(grads, places, images.int(), corners.int(), sums),
            *(len(corners), height, width, channels),
            grad.shape[-1],
            block,
        )
    return sums.to(grad.dtype).permute(0, 3, 1, 2)


@triton.jit
def bin_maxima_kernel(
    cells,
    images,
    corners,
    values,
    winners,
    nowhere,
    height,
    width,
    channels,
    size: tl.constexpr,
    block: tl.constexpr,
):
    """Computes a bin of a RoI for a block of channels."""
    place = tl.program_id(0)
    roi, row, column = place // (size * size), place // size % size, place % size
    image = tl.load(images + roi)
    x1, y1 = tl.load(corners + roi * 4), tl.load(corners + roi * 4 + 1)
    x2, y2 = tl.load(corners + roi * 4 + 2), tl.load(corners + roi * 4 + 3)
    w, h = tl.maximum(x2 - x1 + 1, 1), tl.maximum(y2 - y1 + 1, 1)
    top, left = tl.maximum(y1 + row * h // size, 0), tl.maximum(x1 + column * w // size, 0)
    bottom = tl.minimum(y1 + ((row + 1) * h + size - 1) // size, height)
    right = tl.minimum(x1 + ((column + 1) * w + size - 1) // size, width)

    channel = tl.program_id(1) * block + tl.arange(0, block)
    exists = channel < channels
    largest = tl.full((block,), float("-inf"), tl.float32)
    winner = tl.full((block,), nowhere, tl.int32)
    for y in range(top, bottom):
        for x in range(left, right):
            cell = (image * height + y) * width + x
            value = tl.load(cells + cell.to(tl.int64) * channels + channel, exists, 0.0)
            value = value.to(tl.float32)
            is_nan = value != value  # noqa: PLR0124
            better = (value > largest) | is_nan | (winner == nowhere)
            largest = tl.where(better, value, largest)
            winner = tl.where(better, cell, winner)
    out = place.to(tl.int64) * channels + channel
    tl.store(values + out, tl.where(winner == nowhere, 0.0, largest), exists)
    tl.store(winners + out, winner, exists)


@triton.jit
def sum_into_cells_kernel(
    grads,
    winners,
    images,
    corners,
    sums,
    rois,
    height,
    width,
    channels,
    size: tl.constexpr,
    block: tl.constexpr,
):
    """Computes a cell for a block of channels: only bins that contain it are looked at."""
    cell = tl.program_id(0)
    image, y, x = cell // (height * width), cell // width % height, cell % width
    channel = tl.program_id(1) * block + tl.arange(0, block)
    exists = channel < channels
    total = tl.full((block,), 0.0, tl.float32)
    for roi in range(rois):
        x1, y1 = tl.load(corners + roi * 4), tl.load(corners + roi * 4 + 1)
        x2, y2 = tl.load(corners + roi * 4 + 2), tl.load(corners + roi * 4 + 3)
        w, h = tl.maximum(x2 - x1 + 1, 1), tl.maximum(y2 - y1 + 1, 1)
        down, along = y - y1, x - x1  # cells from the RoI's first one
        inside = (down >= 0) & (down < h) & (along >= 0) & (along < w)
        if inside & (tl.load(images + roi) == image):
            # Bin p contains cell d of L if floor(p L / P) <= d < ceil((p + 1) L / P).
            for row in range(down * size // h, ((down + 1) * size + h - 1) // h):
                for column in range(along * size // w, ((along + 1) * size + w - 1) // w):
                    place = (roi * size + row) * size + column
                    at = place.to(tl.int64) * channels + channel
                    won = tl.load(winners + at, exists, -1) == cell
                    total += tl.load(grads + at, exists & won, 0.0).to(tl.float32)
    tl.store(sums + cell.to(tl.int64) * channels + channel, total, exists)
