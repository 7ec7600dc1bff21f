"""Range maxima give the bits of the model's own pooling, for every kind of RoI and float."""

from __future__ import annotations

import pytest
import torch

from frcnn_cli.acceleration.range_maxima import StackedMaxima, bin_maxima
from frcnn_cli.model.roi_pool import cell_corners, roi_pool
from support.rois import random_rois

ODD = torch.tensor(
    [
        [0.0, -5000, -5000, 5000, 5000],  # far more than the map
        [1.0, 0, 0, 207, 143],  # the map
        [0.0, 32, 32, 32, 32],  # one cell
        [1.0, 900, 900, 950, 950],  # outside, to the right and below
        [0.0, -300, -300, -200, -200],  # outside, to the left and above
        [0.0, 60, 60, 10, 10],  # inside out
        [1.0, 0, 50, 207, 51],  # a row of cells
    ]
)


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float16])
@pytest.mark.parametrize("shift", [0.0, -3.0, 3.0])
@pytest.mark.parametrize("maxima", [bin_maxima, StackedMaxima])
def test_the_same_bits_as_the_plain_pooling(maxima, dtype: torch.dtype, shift: float) -> None:
    """16 bits are compared as integers here: negative numbers and both zeros included."""
    features = (torch.randn(2, 5, 9, 13, generator=torch.Generator().manual_seed(0)) + shift).to(
        dtype
    )
    features[0, :, 2:4, 2:4] = -0.0
    rois = torch.cat((random_rois(300, 13 * 16, 9 * 16, batch=2), ODD))
    corners, images = cell_corners(rois[:, 1:], 1 / 16), rois[:, 0].long()
    for size in (1, 3, 7):
        found = maxima(features, images, corners, size).pooled(3, len(rois))
        assert found.dtype == dtype
        plain = roi_pool(features, rois[3:], size, 1 / 16)
        assert torch.equal(found.permute(0, 3, 1, 2), plain)


def test_bins_are_exact_where_float32_is_not() -> None:
    """57 / 7 · 7 is above 57 in float32."""
    features = torch.arange(60.0).reshape(1, 1, 1, 60)
    corners, images = torch.tensor([[0, 0, 56, 0]]), torch.tensor([0])
    for maxima in (bin_maxima, StackedMaxima):
        assert maxima(features, images, corners, 7).pooled(0, 1)[0, 0, -1, 0] == 56


def test_no_rois() -> None:
    none = torch.zeros(0, 4, dtype=torch.long)
    maxima = bin_maxima(torch.randn(1, 4, 8, 8), none[:, 0], none, 7)
    assert maxima.pooled(0, 0).shape == (0, 7, 7, 4)
