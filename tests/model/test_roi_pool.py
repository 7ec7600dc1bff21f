"""RoI pooling by hand, against torchvision, and by finite differences."""

from __future__ import annotations

import pytest
import torch
import torchvision

from frcnn_cli.model.roi_pool import roi_pool
from support.rois import random_rois


def test_forward_and_gradient_by_hand() -> None:
    """§2.3, Eq. 4: each output's gradient goes to its arg-max input and sums over the RoIs."""
    features = torch.arange(16.0).reshape(1, 1, 4, 4).requires_grad_()
    rois = torch.tensor([[0.0, 0, 0, 3, 3], [0.0, 2, 2, 3, 3]])

    pooled = roi_pool(features, rois, size=2, scale=1.0)

    # The whole map in 2 × 2 bins, then its lower right quarter cell by cell.
    assert pooled.tolist() == [[[[5.0, 7.0], [13.0, 15.0]]], [[[10.0, 11.0], [14.0, 15.0]]]]
    pooled.backward(torch.tensor([[[[1.0, 2.0], [3.0, 4.0]]], [[[10.0, 20.0], [30.0, 40.0]]]]))
    expected = torch.zeros(4, 4)
    expected[1, 1], expected[1, 3], expected[3, 1] = 1, 2, 3
    expected[2, 2], expected[2, 3], expected[3, 2] = 10, 20, 30
    expected[3, 3] = 4 + 40  # the maximum of two RoIs
    assert torch.equal(features.grad[0, 0], expected)


def test_bins_of_an_uneven_length_share_a_cell() -> None:
    """3 cells in 2 bins: floor(0 · 3/2) .. ceil(1 · 3/2) = 0..2 and floor(3/2) .. 3 = 1..3."""
    features = torch.tensor([[1.0, 9.0, 2.0]]).reshape(1, 1, 1, 3)
    pooled = roi_pool(features, torch.tensor([[0.0, 0, 0, 2, 0]]), size=2, scale=1.0)
    assert pooled[0, 0, 0].tolist() == [9.0, 9.0]


def test_a_bin_outside_the_map_is_zero_and_has_no_gradient() -> None:
    features = torch.full((1, 1, 2, 2), -1.0, requires_grad=True)
    pooled = roi_pool(features, torch.tensor([[0.0, 0, 0, 3, 1]]), size=2, scale=1.0)
    assert pooled[0, 0].tolist() == [[-1.0, 0.0], [-1.0, 0.0]]
    pooled.sum().backward()
    assert features.grad.sum() == 2


@pytest.mark.parametrize("size", [3, 6, 7])
@pytest.mark.parametrize("channels_last", [False, True])
def test_equals_torchvision(size: int, channels_last: bool) -> None:
    features = torch.randn(2, 5, 19, 26, generator=torch.Generator().manual_seed(1))
    if channels_last:
        features = features.contiguous(memory_format=torch.channels_last)
    ours, theirs = (features.clone().requires_grad_() for _ in range(2))
    rois = random_rois(200, 26 * 16, 19 * 16, batch=2)

    pooled = roi_pool(ours, rois, size, 1 / 16)
    reference = torchvision.ops.roi_pool(theirs, rois, size, 1 / 16)

    assert torch.equal(pooled, reference)
    assert torch.equal(roi_pool(features, rois, size, 1 / 16), reference), "without gradients"
    weights = torch.randn(pooled.shape, generator=torch.Generator().manual_seed(2))
    pooled.backward(weights)
    reference.backward(weights)
    # The order in which gradients are summed differs.
    torch.testing.assert_close(ours.grad, theirs.grad, rtol=0, atol=1e-5)


def test_bins_are_exact_where_float32_is_not() -> None:
    """57 / 7 · 7 is above 57 in float32, so torchvision's last bin reaches too far."""
    features = torch.arange(60.0).reshape(1, 1, 1, 60)
    rois = torch.tensor([[0.0, 0, 0, 56, 0]])
    assert roi_pool(features, rois, 7, 1.0)[0, 0, 0, -1] == 56
    with_gradient = roi_pool(features.clone().requires_grad_(), rois, 7, 1.0)
    assert with_gradient[0, 0, 0, -1] == 56


def test_gradcheck() -> None:
    """Distinct values, so that no finite difference moves a maximum."""
    cells = torch.randperm(2 * 3 * 5 * 6, generator=torch.Generator().manual_seed(3))
    features = cells.double().reshape(2, 3, 5, 6).requires_grad_()
    rois = random_rois(6, 60, 50, batch=2)
    assert torch.autograd.gradcheck(lambda x: roi_pool(x, rois, 3, 0.1), features, eps=1e-3)


def test_equal_maxima_give_the_gradient_to_the_first() -> None:
    features = torch.ones(1, 1, 3, 3, requires_grad=True)
    roi_pool(features, torch.tensor([[0.0, 0, 0, 2, 2]]), 1, 1.0).sum().backward()
    expected = torch.zeros(3, 3)
    expected[0, 0] = 1
    assert torch.equal(features.grad[0, 0], expected)


def test_bfloat16_and_no_rois() -> None:
    features = torch.randn(1, 4, 8, 8).bfloat16()
    assert roi_pool(features, torch.zeros(0, 5), 7, 1 / 16).shape == (0, 4, 7, 7)
    pooled = roi_pool(features, torch.tensor([[0.0, 0, 0, 100, 100]]), 7, 1 / 16)
    assert pooled.dtype == torch.bfloat16
    trained = features.requires_grad_()
    assert roi_pool(trained, torch.zeros(0, 5), 7, 1 / 16).shape == (0, 4, 7, 7)


def test_rois_outside_the_map_and_inside_out() -> None:
    """The map's maximum, nothing at all, and one cell."""
    features = torch.randn(1, 2, 9, 13, generator=torch.Generator().manual_seed(4))
    rois = torch.tensor([[0.0, 0, 0, 207, 143], [0, 900, 900, 950, 950], [0, 60, 60, 10, 10]])
    pooled = roi_pool(features, rois, 1, 1 / 16)[:, :, 0, 0]
    expected = torch.stack((features.amax((0, 2, 3)), torch.zeros(2), features[0, :, 4, 4]))
    assert torch.equal(pooled, expected)


def test_half_precision_gradients_are_summed_exactly() -> None:
    """300 ones into one cell: bfloat16 alone stops at 256, where 1 is lost in rounding."""
    features = torch.ones(1, 1, 2, 2, dtype=torch.bfloat16, requires_grad=True)
    rois = torch.tensor([[0.0, 0, 0, 0, 0]]).repeat(300, 1)
    roi_pool(features, rois, 1, 1.0).sum().backward()
    assert features.grad[0, 0, 0, 0] == 300
