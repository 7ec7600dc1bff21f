"""RoI max pooling (Fast R-CNN §2.1) and its backward pass (§2.3, Eq. 4), on any device."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor


def roi_pool(features: Tensor, rois: Tensor, size: int, scale: float) -> Tensor:
    """Pools each RoI of a feature map to a fixed grid of maxima.

    Corners are rounded to cells and both corner cells belong to the RoI, as in the Caffe release
    and torchvision's `roi_pool`. Bin p of P covers cells floor(p·L / P) up to ceil((p + 1)·L / P)
    of the L cells of a side, in exact integers (in float32 the product is off by a cell for a few
    lengths, such as 57 cells in 7 bins). Neighbouring bins may share a cell; a bin that lies
    outside the map is 0. The gradient goes to the first maximum of a bin in row-major order.

    Args:
        features: (B, C, H, W), of any float type.
        rois: (R, 5), the image's index and the inclusive corners x1, y1, x2, y2 in pixels.
        size: P, bins per side.
        scale: feature cells per pixel, such as 1 / 16.

    Returns:
        (R, C, P, P) of the features' type.
    """
    images, corners = rois[:, 0].long(), cell_corners(rois[:, 1:], scale)
    pooled: Tensor = _RoIPool.apply(features, images, corners, size)
    return pooled  # (R, C, P, P)


def cell_corners(boxes: Tensor, scale: float) -> Tensor:
    """Returns the corner cells (R, 4) int64, both inclusive, of boxes (R, 4) in pixels."""
    scaled = boxes.float() * scale
    return (scaled + torch.copysign(torch.full_like(scaled, 0.5), scaled)).long()


class _RoIPool(torch.autograd.Function):
    """Keeps the arg-max cell of each output; backward sums the gradients into these cells."""

    @staticmethod
    def forward(ctx: Any, features: Tensor, images: Tensor, corners: Tensor, size: int) -> Tensor:
        values, winners = bin_maxima_by_crops(features, images, corners, size)
        ctx.save_for_backward(winners)
        ctx.shape = features.shape
        return values

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, None, None, None]:
        return sum_into_cells(grad, ctx.saved_tensors[0], ctx.shape), None, None, None


def sum_into_cells(grad: Tensor, winners: Tensor, shape: Sequence[int]) -> Tensor:
    """Returns the gradient (B, C, H, W) of a map: of its maxima (R, C, P, P) to their cells.

    Args:
        grad: (R, C, P, P), of the maxima.
        winners: (R, C, P, P) int64, the flat index in (B, H, W) of the cell of each.
        shape: of the map, B, C, H and W.
    """
    batch, channels, height, width = shape
    # In float32: the sum of many half-precision gradients would lose the small ones.
    exact = torch.promote_types(grad.dtype, torch.float32)
    # The last row takes the gradients of empty bins, which have no cell.
    cells = grad.new_zeros(batch * height * width + 1, channels, dtype=exact)
    rows = (x.permute(0, 2, 3, 1).reshape(-1, channels) for x in (winners, grad.to(exact)))
    cells.scatter_add_(0, *rows)
    return cells[:-1].to(grad.dtype).view(batch, height, width, channels).permute(0, 3, 1, 2)


def bin_maxima_by_crops(
    features: Tensor, images: Tensor, corners: Tensor, size: int
) -> tuple[Tensor, Tensor]:
    """Returns the maxima (R, C, P, P) and the flat index in (B, H, W) of each one's cell.

    The index of an empty bin is B · H · W.

    Args:
        features: (B, C, H, W).
        images: (R,) int64, the image of each RoI.
        corners: (R, 4) int64, first and last cell of each: x1, y1, x2, y2.
        size: P, bins per side.
    """
    batch, channels, height, width = features.shape
    # Channels last in memory: a cell is one contiguous row of C numbers.
    features = features.contiguous(memory_format=torch.channels_last)
    nowhere = batch * height * width
    cells = torch.arange(nowhere, device=features.device).view(batch, height, width)
    values = features.new_empty(len(images), size, size, channels)
    winners = torch.empty_like(values, dtype=torch.long)
    for roi, (image, (x1, y1, x2, y2)) in enumerate(
        zip(images.tolist(), corners.tolist(), strict=True)
    ):
        x2, y2 = max(x1, x2), max(y1, y2)  # noqa: PLW2901  a RoI has at least one cell
        inside = (..., slice(max(y1, 0), max(y2 + 1, 0)), slice(max(x1, 0), max(x2 + 1, 0)))
        crop, numbers = features[image : image + 1][inside], cells[image][inside]
        if crop.shape[2:] != (y2 - y1 + 1, x2 - x1 + 1):  # the RoI leaves the map
            bottom, right = y2 - y1 + 1 - crop.shape[2], x2 - x1 + 1 - crop.shape[3]
            top, left = min(max(-y1, 0), bottom), min(max(-x1, 0), right)
            edges = (left, right - left, top, bottom - top)
            crop = F.pad(crop, edges, value=-torch.inf)
            numbers = F.pad(numbers, edges, value=nowhere)
        pooled, places = F.adaptive_max_pool2d(crop, size, return_indices=True)  # (1, C, P, P)
        values[roi] = pooled[0].permute(1, 2, 0)
        torch.take(numbers, places[0].permute(1, 2, 0), out=winners[roi])
    values.masked_fill_(winners == nowhere, 0)
    return values.permute(0, 3, 1, 2), winners.permute(0, 3, 1, 2)
