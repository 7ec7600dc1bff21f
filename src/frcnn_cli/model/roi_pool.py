"""RoI max pooling (Fast R-CNN §2.1) and its backward pass (§2.3, Eq. 4), on any device.

There are two ways to the same numbers. While training there are some 128 RoIs, and the backward
pass must know which cell each maximum came from: every RoI is cropped and pooled by itself. While
detecting there are some 2,000, most of which overlap: a half to three quarters of their bins cover
the same cells as another RoI's, so each distinct bin is looked up once in range-maximum tables of
the whole map. Both read the map in channels-last order, where a cell is one contiguous row of C
numbers.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

_GATHERED = 1 << 24
"""Numbers gathered from a table at once; bounds the memory of a call with many RoIs."""


class BinMaxima(NamedTuple):
    """The pooled bins of R RoIs, each distinct bin once.

    Attributes:
        values: (N, C) maxima of N distinct bins.
        bins: (R, P, P) int64, which of them each RoI's bins are.
    """

    values: Tensor
    bins: Tensor

    def pooled(self, first: int, last: int) -> Tensor:
        """Returns (last - first, P, P, C), contiguous: the RoIs from `first` up to `last`."""
        chosen = self.bins[first:last]
        return self.values.index_select(0, chosen.flatten()).view(*chosen.shape, self.values.shape[1])


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
        size: P, bins a side.
        scale: cells a pixel, such as 1 / 16.

    Returns:
        (R, C, P, P) of the features' type.
    """
    corners = cell_corners(rois[:, 1:], scale)
    images = rois[:, 0].long()
    pooled: Tensor
    if features.requires_grad and torch.is_grad_enabled():
        pooled = _RoIPool.apply(features, images, corners, size)
    else:
        maxima = bin_maxima(features, images, corners, size)
        pooled = maxima.pooled(0, len(rois)).permute(0, 3, 1, 2)
    return pooled


def cell_corners(boxes: Tensor, scale: float) -> Tensor:
    """Returns the corner cells (R, 4) int64, both inclusive, of boxes (R, 4) in pixels.

    RoIs of the same corner cells are pooled to the same numbers.
    """
    scaled = boxes.float() * scale
    return (scaled + torch.copysign(torch.full_like(scaled, 0.5), scaled)).long()


def bin_maxima(features: Tensor, images: Tensor, corners: Tensor, size: int) -> BinMaxima:
    """Returns the maxima of every bin of RoIs: each is the maximum of four overlapping windows.

    Args:
        features: (B, C, H, W), of any float type; no gradient comes back.
        images: (R,) int64, each RoI's image.
        corners: (R, 4) int64, from `cell_corners`.
        size: P, bins a side.
    """
    channels, height, width = features.shape[1:]
    shape = (len(images), size, size)
    edges = [
        edge.view(-1, *view).expand(shape)
        for axis, cells, view in ((1, height, (size, 1)), (0, width, (1, size)))
        for edge in _bins(corners, axis, size, cells)
    ]
    distinct, bins = _distinct(images[:, None, None].expand(shape), edges, (height, width))
    image, y0, y1, x0, x1 = distinct
    level_y, level_x = _floor_log2(y1 - y0), _floor_log2(x1 - x0)
    tables = _RangeMaxima(_as_integers(features.detach()))
    values = tables.level(0, 0).new_zeros(len(image), channels)
    levels = torch.stack((level_y, level_x), dim=1)[(level_y >= 0) & (level_x >= 0)]
    row = image * height
    for j, i in torch.unique(levels, dim=0).tolist():
        at_level = torch.nonzero((level_y == j) & (level_x == i)).flatten()
        table = tables.level(j, i).reshape(-1, channels)
        for part in torch.split(at_level, max(1, _GATHERED // channels)):
            # Windows of 2^j × 2^i cells at the bin's four corners cover it.
            tops = {0: y0[part], j: y1[part] - (1 << j)}.values()
            lefts = {0: x0[part], i: x1[part] - (1 << i)}.values()
            windows = [
                table.index_select(0, (row[part] + y) * width + x) for y in tops for x in lefts
            ]
            for window in windows[1:]:
                torch.maximum(windows[0], window, out=windows[0])
            values.index_copy_(0, part, windows[0])
    return BinMaxima(_as_floats(values, features.dtype), bins)


class _RoIPool(torch.autograd.Function):
    """Pools RoI by RoI and remembers the arg-max cells; backward sums into them."""

    @staticmethod
    def forward(ctx: Any, features: Tensor, images: Tensor, corners: Tensor, size: int) -> Tensor:
        values, winners = _pool_by_crops(features, images, corners, size)
        ctx.save_for_backward(winners)
        ctx.shape = features.shape
        return values

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, None, None, None]:
        (winners,) = ctx.saved_tensors
        batch, channels, height, width = ctx.shape
        # The last row takes the gradients of empty bins, which reach no cell.
        # Sums of many half-precision gradients are made in float32.
        exact = torch.promote_types(grad.dtype, torch.float32)
        cells = grad.new_zeros(batch * height * width + 1, channels, dtype=exact)
        by_cell = (x.permute(0, 2, 3, 1).reshape(-1, channels) for x in (winners, grad.to(exact)))
        cells.scatter_add_(0, *by_cell)
        sums = cells[:-1].to(grad.dtype).view(batch, height, width, channels)
        return sums.permute(0, 3, 1, 2), None, None, None


def _pool_by_crops(
    features: Tensor, images: Tensor, corners: Tensor, size: int
) -> tuple[Tensor, Tensor]:
    """Returns the maxima (R, C, P, P) and the flat index in (B, H, W) of each one's cell."""
    batch, channels, height, width = features.shape
    features = features.contiguous(memory_format=torch.channels_last)
    shape = (len(images), size, size, channels)
    values = features.new_empty(shape)
    places = torch.empty(shape, dtype=torch.long, device=features.device)
    for roi, (image, (x1, y1, x2, y2)) in enumerate(
        zip(images.tolist(), corners.tolist(), strict=True)
    ):
        x2, y2 = max(x1, x2), max(y1, y2)  # noqa: PLW2901  a RoI has at least one cell
        crop = features[
            image : image + 1, :, max(y1, 0) : max(y2 + 1, 0), max(x1, 0) : max(x2 + 1, 0)
        ]
        if crop.shape[2:] != (y2 - y1 + 1, x2 - x1 + 1):
            crop = _extend(crop, (x1, y1, x2, y2))
        pooled, place = F.adaptive_max_pool2d(crop, size, return_indices=True)
        values[roi], places[roi] = pooled[0].permute(1, 2, 0), place[0].permute(1, 2, 0)
    x1, y1, x2, _ = (corners[:, axis, None, None, None] for axis in range(4))
    crop_width = (x2 - x1 + 1).clamp(min=1)
    # A place is y · crop_width + x in its crop. Integers this small divide exactly as floats.
    y = (places.float() / crop_width).floor().long()
    corner = (images[:, None, None, None] * height + y1) * width + x1
    winners = places.add_(y.mul_(width - crop_width)).add_(corner)
    empty = values == -torch.inf
    if empty.any():
        values, winners = (
            values.masked_fill(empty, 0),
            winners.masked_fill(empty, batch * height * width),
        )
    return values.permute(0, 3, 1, 2), winners.permute(0, 3, 1, 2)


def _extend(crop: Tensor, corners: tuple[int, int, int, int]) -> Tensor:
    """Returns the part of a RoI inside the map, with -inf where the RoI reaches out of it."""
    x1, y1, x2, y2 = corners
    whole = crop.new_full((1, crop.shape[1], y2 - y1 + 1, x2 - x1 + 1), -torch.inf)
    top, left = max(-y1, 0), max(-x1, 0)
    whole[:, :, top : top + crop.shape[2], left : left + crop.shape[3]] = crop
    return whole


def _distinct(
    image: Tensor, edges: list[Tensor], cells: tuple[int, int]
) -> tuple[tuple[Tensor, ...], Tensor]:
    """Returns image, y0, y1, x0, x1 (N,) of the distinct bins, and which one each bin is."""
    key = image
    # y0 and y1 in 0..height, x0 and x1 in 0..width, as the digits of one number.
    bases = [1 + cells[0]] * 2 + [1 + cells[1]] * 2
    for edge, base in zip(edges, bases, strict=True):
        key = key * base + edge
    keys, bins = torch.unique(key, return_inverse=True)
    parts: list[Tensor] = []
    for base in reversed(bases):
        parts.append(keys % base)
        keys = keys // base
    return (keys, *reversed(parts)), bins


def _as_integers(values: Tensor) -> Tensor:
    """Returns 16-bit floats as int16 in the same order; other types as they are.

    Maxima of int16 are several times faster on a CPU. A float is a sign and a magnitude, so the
    magnitude bits of negative numbers are turned over.
    """
    return _turned(values.view(torch.int16)) if values.element_size() == 2 else values


def _as_floats(values: Tensor, dtype: torch.dtype) -> Tensor:
    """Undoes `_as_integers`."""
    return values if values.dtype == dtype else _turned(values).view(dtype)


def _turned(bits: Tensor) -> Tensor:
    return bits ^ ((bits >> 15) & 0x7FFF)


def _bins(corners: Tensor, axis: int, size: int, cells: int) -> tuple[Tensor, Tensor]:
    """Returns the first cell and the one past the last, (R, P) each, of every bin of an axis."""
    first = corners[:, axis, None]
    length = (corners[:, axis + 2, None] - first + 1).clamp(min=1)
    index = torch.arange(size, device=corners.device)
    start = first + index * length // size
    stop = first - (-(index + 1) * length // size)
    return start.clamp(0, cells), stop.clamp(0, cells)


def _floor_log2(n: Tensor) -> Tensor:
    """Returns floor(log2(n)) of integers n (-1 for 0)."""
    return torch.frexp(n.clamp(min=0).double()).exponent.long() - 1


class _RangeMaxima:
    """Maxima of a (B, C, H, W) map over windows of 2^j × 2^i cells; a level is made when asked."""

    def __init__(self, features: Tensor) -> None:
        self._levels = {(0, 0): features.permute(0, 2, 3, 1).contiguous()}

    def level(self, j: int, i: int) -> Tensor:
        """Returns (B, H, W, C): at each cell the maximum of the window that starts there.

        Windows that reach over the border hold the maximum of their part inside it.
        """
        if (j, i) not in self._levels:
            axis, half = (1, 1 << (j - 1)) if j else (2, 1 << (i - 1))
            below = self.level(j - 1, i) if j else self.level(j, i - 1)
            level = below.clone()
            inside = below.shape[axis] - half
            if inside > 0:
                target = level.narrow(axis, 0, inside)
                torch.maximum(target, below.narrow(axis, half, inside), out=target)
            self._levels[j, i] = level
        return self._levels[j, i]
