"""The detector as one function of an image and its RoIs, in operators that ONNX computes exactly.

ONNX's MaxRoiPool rounds bins in float32, and is off by a cell for a few lengths (see `roi_pool`).
Here RoI pooling is integer arithmetic, gathers and maxima, so that the exported graph pools the
same cells as the trained network.
"""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from frcnn_cli import boxes as box_ops
from frcnn_cli.model.fast_rcnn import FastRCNN
from frcnn_cli.model.roi_align import roi_align


class OnnxForm(nn.Module):
    """Image and RoIs → class probabilities and boxes.

    Args:
        model: the detector.
        longest_side: of the images that will be given, in pixels.
    """

    def __init__(self, model: FastRCNN, longest_side: int) -> None:
        super().__init__()
        self.model = model
        spec = model.backbone.spec
        cells = math.ceil(longest_side / spec.stride) + 1
        self._levels = math.ceil(cells / spec.pool_size + 1).bit_length()

    def forward(self, image: Tensor, rois: Tensor) -> tuple[Tensor, Tensor]:
        """Classifies the RoIs of an image and regresses their boxes.

        Args:
            image: (1, 3, H, W) float32, RGB in 0..255.
            rois: (R, 4) float32, xyxy in its pixels.

        Returns:
            Probabilities (R, K + 1) with background first, and boxes (R, K + 1, 4) for each class,
            inside the image.
        """
        model, spec = self.model, self.model.backbone.spec
        height, width = image.shape[2], image.shape[3]
        # The network takes multiples of its stride; padding follows preprocessing.
        prepared = F.pad(
            spec.preprocessing(image), (0, -width % spec.stride, 0, -height % spec.stride)
        )
        features = model.backbone.trunk(prepared)
        output = model.denormalised(model.regions(self._pooled(features, rois)))
        boxes = box_ops.decode(rois[:, None], output.deltas)
        limits = torch.stack(
            [torch.full_like(boxes[..., 0], side) for side in (width, height, width, height)], -1
        )
        inside = torch.minimum(boxes.clamp(min=0), limits)
        return output.class_logits.softmax(dim=1), inside

    def _pooled(self, features: Tensor, rois: Tensor) -> Tensor:
        spec = self.model.backbone.spec
        moved, scale = self.model.to_feature_coords(rois), 1.0 / spec.stride
        if self.model.pool == "roi_align":
            return roi_align(features, moved, spec.pool_size, scale)
        return exact_roi_pool(features, moved, spec.pool_size, scale, self._levels)


def exact_roi_pool(features: Tensor, rois: Tensor, size: int, scale: float, levels: int) -> Tensor:
    """Pools as `model.roi_pool` does: (1, C, H, W) and (R, 4) → (R, C, P, P).

    Args:
        features: (1, C, H, W).
        rois: (R, 4) in image pixels.
        size: P, bins per side.
        scale: feature cells per pixel.
        levels: number of tables per axis: windows of 1, 2, 4, … cells.
    """
    _, channels, height, width = features.shape
    scaled = rois * scale
    corners = torch.where(scaled < 0, scaled - 0.5, scaled + 0.5).to(torch.int64)
    y0, y1 = _bins(corners[:, 1], corners[:, 3], size, height)
    x0, x1 = _bins(corners[:, 0], corners[:, 2], size, width)
    level_y, side_y = _level(y1 - y0, levels)
    level_x, side_x = _level(x1 - x0, levels)
    # Reshaped last: OpenVINO moves a transposition before what takes the first axis away.
    cells = features.permute(0, 2, 3, 1).reshape(height, width, channels)
    table = _tables(cells, levels)  # (levels², H·W, C)
    first = ((level_y[:, :, None] * levels + level_x[:, None, :]) * height * width).flatten()
    empty = ((y1 <= y0)[:, :, None] | (x1 <= x0)[:, None, :]).flatten()
    maxima = None
    for y in (y0, y1 - side_y):
        for x in (x0, x1 - side_x):
            cell = (y.clamp(min=0)[:, :, None] * width + x.clamp(min=0)[:, None, :]).flatten()
            # An empty bin may start after the last cell; what is read there is not used.
            place = torch.where(empty, torch.zeros_like(cell), first + cell)
            window = torch.index_select(table, 0, place)
            maxima = window if maxima is None else torch.maximum(maxima, window)
    assert maxima is not None
    maxima = torch.where(empty[:, None], torch.zeros_like(maxima), maxima)
    return maxima.view(-1, size, size, channels).permute(0, 3, 1, 2)


def _bins(first: Tensor, last: Tensor, size: int, cells: int) -> tuple[Tensor, Tensor]:
    """Returns the first cell and the one past the last, (R, P) each, of every bin of an axis."""
    length = (last - first + 1).clamp(min=1)[:, None]
    index = torch.arange(size, device=first.device)
    start = first[:, None] + (index * length) // size
    stop = first[:, None] + ((index + 1) * length + size - 1) // size
    return start.clamp(0, cells), stop.clamp(0, cells)


def _level(cells: Tensor, levels: int) -> tuple[Tensor, Tensor]:
    """Returns floor(log2(n)) of numbers of cells n, 0 for none, and 2 to that power."""
    level = torch.zeros_like(cells)
    for power in range(1, levels):
        level = level + (cells >= 1 << power).to(cells.dtype)
    side = torch.ones_like(cells)
    for power in range(1, levels):
        side = torch.where(level >= power, torch.full_like(side, 1 << power), side)
    return level, side


def _tables(cells: Tensor, levels: int) -> Tensor:
    """Returns the maxima over windows of 2^j × 2^i cells of a map (H, W, C).

    Row (j · levels + i) · H · W + y · W + x is that of the window that starts at (y, x).
    """
    height, width, channels = cells.shape
    tables = []
    row = cells
    for j in range(levels):
        if j:
            half = 1 << (j - 1)
            below = F.pad(row, (0, 0, 0, 0, 0, half), value=-torch.inf)
            row = torch.maximum(row, below[half : half + height])
        column = row
        for i in range(levels):
            if i:
                half = 1 << (i - 1)
                right = F.pad(column, (0, 0, 0, half), value=-torch.inf)
                column = torch.maximum(column, right[:, half : half + width])
            tables.append(column.reshape(height * width, channels))
    return torch.cat(tables)
