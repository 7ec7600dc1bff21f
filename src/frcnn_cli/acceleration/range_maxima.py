"""RoI max pooling of many overlapping RoIs by range-maximum tables of the whole map.

In detection there are some 2,000 RoIs, and a half to three quarters of their bins cover the same
cells as a bin of another RoI: each distinct bin is looked up once. It is the maximum of four
overlapping windows whose sides are powers of two, and the maxima of all such windows are computed
from each other, level by level.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

_GATHERED = 1 << 24
"""Numbers gathered from a table at once: bounds the memory of a call with many RoIs."""


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


def bin_maxima(features: Tensor, images: Tensor, corners: Tensor, size: int) -> BinMaxima:
    """Returns the maxima of every bin of RoIs: each is the maximum of four overlapping windows.

    Args:
        features: (B, C, H, W), of any float type; there is no gradient.
        images: (R,) int64, index of each RoI's image.
        corners: (R, 4) int64, from `cell_corners`.
        size: P, bins per side.
    """
    height, width = features.shape[2:]
    y0, y1 = (edge[:, :, None] for edge in _bins(corners, 1, size, height))
    x0, x1 = (edge[:, None, :] for edge in _bins(corners, 0, size, width))
    keys = _Digits((16, 16, len(features), height + 1, height + 1, width + 1, width + 1))
    # From 1, since an empty bin has logarithm -1; its other digits do not matter.
    levels = (1 + _floor_log2(y1 - y0), 1 + _floor_log2(x1 - x0))
    key = keys.join(*levels, images[:, None, None], y0, y1, x0, x1)
    key = torch.where((levels[0] > 0) & (levels[1] > 0), key, 0)
    distinct, bins = torch.unique(key, return_inverse=True)
    level_y, level_x, image, y0, y1, x0, x1 = keys.split(distinct)
    tables = _RangeMaxima(features)
    channels = features.shape[1]
    values = tables.level(0, 0).new_empty(len(distinct), channels)
    # Sorted by level, so the bins of a level are a slice.
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


def _gather_maxima(table: Tensor, places: list[Tensor], out: Tensor) -> None:
    """Writes the maxima over several rows of a table (L, C) each into `out` (N, C)."""
    step = max(1, _GATHERED // table.shape[1])
    for first in range(0, len(out), step):
        part = out[first : first + step]
        torch.index_select(table, 0, places[0][first : first + step], out=part)
        for place in places[1:]:
            torch.maximum(part, table.index_select(0, place[first : first + step]), out=part)


class StackedMaxima:
    """Pools RoIs without synchronizing a GPU: every bin by itself.

    All tables are built at once, so that no value on the device has to be known here.

    Args:
        features: (B, C, H, W), of any float type; there is no gradient.
        images: (R,) int64, index of each RoI's image.
        corners: (R, 4) int64, from `cell_corners`.
        size: P, bins per side.
    """

    def __init__(self, features: Tensor, images: Tensor, corners: Tensor, size: int) -> None:
        channels, height, width = features.shape[1:]
        y0, y1 = (edge[:, :, None] for edge in _bins(corners, 1, size, height))
        x0, x1 = (edge[:, None, :] for edge in _bins(corners, 0, size, width))
        level_y, level_x = _floor_log2(y1 - y0), _floor_log2(x1 - x0)
        self._empty = (level_y < 0) | (level_x < 0)
        level_y, level_x = level_y.clamp(min=0), level_x.clamp(min=0)
        table = _all_levels(features.permute(0, 2, 3, 1))
        columns = table.shape[1]
        self._table = table.view(-1, channels)
        map_ = (level_y * columns + level_x) * len(features) + images[:, None, None]
        bottom, right = (y1 - (1 << level_y)).clamp(min=0), (x1 - (1 << level_x)).clamp(min=0)
        # An empty bin may start after the last cell.
        self._places = [
            (map_ * height + y.clamp(max=height - 1)) * width + x.clamp(max=width - 1)
            for y in (y0, bottom)
            for x in (x0, right)
        ]

    def pooled(self, first: int, last: int) -> Tensor:
        """Returns (last - first, P, P, C), as `BinMaxima.pooled` does."""
        places = [place[first:last] for place in self._places]
        shape = (*places[0].shape, self._table.shape[1])
        values = self._table.index_select(0, places[0].flatten())
        for place in places[1:]:
            torch.maximum(values, self._table.index_select(0, place.flatten()), out=values)
        return values.view(shape).masked_fill_(self._empty[first:last, :, :, None], 0)


def _all_levels(cells: Tensor) -> Tensor:
    """Returns the maxima (J, I, B, H, W, C) over windows of 2^j × 2^i cells of a map (B, H, W, C).

    A window is at its first cell; where none fits into the map, there is no meaningful number.
    """
    height, width = cells.shape[1:3]
    table = cells.new_empty(height.bit_length(), width.bit_length(), *cells.shape)
    table[0, 0] = cells
    for j in range(1, len(table)):
        half, fit = 1 << (j - 1), height - (1 << j) + 1
        below = table[j - 1, 0]
        torch.maximum(below[:, :fit], below[:, half : half + fit], out=table[j, 0, :, :fit])
    for i in range(1, table.shape[1]):
        half, fit = 1 << (i - 1), width - (1 << i) + 1
        below = table[:, i - 1]
        out = table[:, i, :, :, :fit]
        torch.maximum(below[:, :, :, :fit], below[:, :, :, half : half + fit], out=out)
    return table


class _Digits:
    """Joins small integers to one number and splits it again; the first is the most significant."""

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
    """Maxima of a (B, C, H, W) map over windows of 2^j × 2^i cells; a level is built on demand.

    On a CPU 16-bit floats are compared as int16, several times faster. A float is a sign and a
    magnitude, so the magnitude bits of negative numbers are inverted for it.
    """

    def __init__(self, features: Tensor) -> None:
        cells = features.detach().permute(0, 2, 3, 1).contiguous()
        self._dtype = features.dtype
        self._invert = False
        if cells.element_size() == 2 and cells.device.type == "cpu":
            cells = cells.view(torch.int16)
            self._invert = bool((cells < 0).any())
        self._levels = {(0, 0): self._inverted(cells)}

    def level(self, j: int, i: int) -> Tensor:
        """Returns (B, H, W, C): at each cell the maximum of the window that starts there.

        Windows that cross the border hold the maximum of their part inside it.
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
        return values if values.dtype == self._dtype else self._inverted(values).view(self._dtype)

    def _inverted(self, cells: Tensor) -> Tensor:
        return cells ^ ((cells >> 15) & 0x7FFF) if self._invert else cells
