"""RoIAlign by matrix products: torchvision's numbers and gradients, and a bin by hand."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor
from torchvision.ops import roi_align as reference

from frcnn_cli.model.roi_align import roi_align


def rois(count: int, seed: int) -> Tensor:
    """RoIs in, across and far outside a map of 160 × 112 pixels, some of them points."""
    generator = torch.Generator().manual_seed(seed)
    corners = torch.rand(count, 2, 2, generator=generator) * torch.tensor([260.0, 212.0]) - 50
    boxes = torch.cat((corners.amin(1), corners.amax(1)), dim=1)
    odd = [[0.0, 0, 160, 112], [-900, -900, 900, 900], [-300, 0, -200, 9], [20, 20, 20, 20]]
    return torch.cat((boxes, torch.tensor(odd)))


@pytest.mark.parametrize("size", [1, 3, 7])
@pytest.mark.parametrize("seed", range(4))
def test_equals_torchvision(size: int, seed: int) -> None:
    features = torch.randn(1, 5, 7, 10, generator=torch.Generator().manual_seed(seed))
    features.requires_grad_()
    boxes = rois(60, seed)
    ours = roi_align(features, boxes, size, 1 / 16)
    theirs = reference(features, F.pad(boxes, (1, 0)), size, 1 / 16, 2, aligned=True)
    torch.testing.assert_close(ours, theirs, rtol=1e-5, atol=2e-5)
    weights = torch.randn_like(theirs)
    gradients = [torch.autograd.grad(y, features, weights)[0] for y in (ours, theirs)]
    torch.testing.assert_close(*gradients, rtol=1e-4, atol=1e-4)


def test_a_bin_by_hand() -> None:
    """Cells of 1 pixel; a bin from 0.5 to 2.5 has samples at 1 and 2: between two cells each."""
    features = torch.tensor([[1.0, 3, 9], [5, 7, 9]])[None, None]
    found = roi_align(features, torch.tensor([[0.5, 0.0, 2.5, 1.0]]), 1, 1.0)
    # Along y the samples are at -0.25, held at the border, and at 0.25: rows (1 + 0.75) / 2, 0.125.
    row = [0.875 * top + 0.125 * low for top, low in ((1, 5), (3, 7), (9, 9))]
    expected = ((row[0] + row[1]) / 2 + (row[1] + row[2]) / 2) / 2
    assert found.item() == pytest.approx(expected)


def test_no_rois_and_bfloat16() -> None:
    features = torch.randn(1, 4, 6, 6, dtype=torch.bfloat16)
    assert roi_align(features, torch.zeros(0, 4), 7, 1 / 16).shape == (0, 4, 7, 7)
    found = roi_align(features, rois(5, 0), 7, 1 / 16)
    exact = roi_align(features.float(), rois(5, 0), 7, 1 / 16)
    assert found.dtype == torch.bfloat16
    torch.testing.assert_close(found.float(), exact, rtol=0.03, atol=0.03)
