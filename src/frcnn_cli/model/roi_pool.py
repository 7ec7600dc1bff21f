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
        return self.values.index_select(0, chosen.flatten()).view(
            *chosen.shape, self.values.shape[1]
        )


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
    height, width = features.shape[2:]
    y0, y1 = (edge[:, :, None] for edge in _bins(corners, 1, size, height))
    x0, x1 = (edge[:, None, :] for edge in _bins(corners, 0, size, width))
    keys = _Digits((16, 16, len(features), height + 1, height + 1, width + 1, width + 1))
    # From 1, since a bin that is empty has logarithm -1; what else it has does not matter.
    levels = (1 + _floor_log2(y1 - y0), 1 + _floor_log2(x1 - x0))
    key = keys.join(*levels, images[:, None, None], y0, y1, x0, x1)
    key = torch.where((levels[0] > 0) & (levels[1] > 0), key, 0)
    distinct, bins = torch.unique(key, return_inverse=True)
    level_y, level_x, image, y0, y1, x0, x1 = keys.split(distinct)
    tables = _RangeMaxima(features)
    channels = features.shape[1]
    values = tables.level(0, 0).new_empty(len(distinct), channels)
    # They are sorted by level, so those of a level are a slice.
    runs, counts = torch.unique_consecutive(level_y * 16 + level_x, return_counts=True)
    row, first = image * height, 0
    for run, count in zip(runs.tolist(), counts.tolist(), strict=True):
        j, i = run // 16 - 1, run % 16 - 1
        last = first + count
        if run == 0:
            values[first:last] = 0
        else:
            table = tables.level(j, i).view(-1, channels)
            # Windows of 2^j × 2^i cells at the bin's four corners cover it.
            tops = {0: y0, j: y1 - (1 << j)}.values()
            lefts = {0: x0, i: x1 - (1 << i)}.values()
            places = [((row + y) * width + x)[first:last] for y in tops for x in lefts]
            _gather_maxima(table, places, values[first:last])
        first = last
    return BinMaxima(tables.as_features(values), bins)


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


def _gather_maxima(table: Tensor, places: list[Tensor], out: Tensor) -> None:
    """Writes the maxima over several rows of a table (L, C) each into `out` (N, C)."""
    step = max(1, _GATHERED // table.shape[1])
    for first in range(0, len(out), step):
        part = out[first : first + step]
        torch.index_select(table, 0, places[0][first : first + step], out=part)
        for place in places[1:]:
            torch.maximum(part, table.index_select(0, place[first : first + step]), out=part)


class _Digits:
    """Joins small integers to one number and splits it again; the first weighs most."""

    def __init__(self, bases: tuple[int, ...]) -> None:
        self._bases = bases

    def join(self, *digits: Tensor) -> Tensor:
        """Returns one number for each element of the digits, which are in 0..base - 1."""
        key = digits[0]
        for digit, base in zip(digits[1:], self._bases[1:], strict=True):
            key = key * base + digit
        return key

    def split(self, keys: Tensor) -> list[Tensor]:
        """Returns the digits of each number."""
        digits = []
        for base in reversed(self._bases[1:]):
            digits.append(keys % base)
            keys = keys // base
        return [keys, *reversed(digits)]


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
    """Maxima of a (B, C, H, W) map over windows of 2^j × 2^i cells; a level is made when asked.

    On a CPU 16-bit floats are compared as int16, several times faster. A float is a sign and a
    magnitude, so the magnitude bits of negative numbers are turned over for it.
    """

    def __init__(self, features: Tensor) -> None:
        cells = features.detach().permute(0, 2, 3, 1).contiguous()
        self._dtype = features.dtype
        self._turn = False
        if cells.element_size() == 2 and cells.device.type == "cpu":
            cells = cells.view(torch.int16)
            self._turn = bool((cells < 0).any())
        self._levels = {(0, 0): self._turned(cells)}

    def level(self, j: int, i: int) -> Tensor:
        """Returns (B, H, W, C): at each cell the maximum of the window that starts there.

        Windows that reach over the border hold the maximum of their part inside it.
        """
        if (j, i) not in self._levels:
            axis, half = (1, 1 << (j - 1)) if j else (2, 1 << (i - 1))
            below = self.level(j - 1, i) if j else self.level(j, i - 1)
            inside = max(below.shape[axis] - half, 0)
            level = torch.empty_like(below)
            torch.maximum(
                below.narrow(axis, 0, inside),
                below.narrow(axis, below.shape[axis] - inside, inside),
                out=level.narrow(axis, 0, inside),
            )
            border = below.shape[axis] - inside
            level.narrow(axis, inside, border).copy_(below.narrow(axis, inside, border))
            self._levels[j, i] = level
        return self._levels[j, i]

    def as_features(self, values: Tensor) -> Tensor:
        """Returns values of the tables in the type of the map."""
        return values if values.dtype == self._dtype else self._turned(values).view(self._dtype)

    def _turned(self, cells: Tensor) -> Tensor:
        return cells ^ ((cells >> 15) & 0x7FFF) if self._turn else cells
