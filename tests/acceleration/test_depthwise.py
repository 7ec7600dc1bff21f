"""The gradients of depthwise convolutions, against torch's own."""

from __future__ import annotations

from itertools import product

import pytest
import torch
import torch.nn.functional as F

from frcnn_cli.acceleration.depthwise import depthwise
from frcnn_cli.model.backbones.base import ConvUnit

GEOMETRIES = [*product((3, 5), (1, 2), ((8, 10), (7, 9), (1, 6)))]


@pytest.mark.parametrize(("kernel", "dilation", "size"), GEOMETRIES)
def test_equals_torch(kernel: int, dilation: int, size: tuple[int, int]) -> None:
    generator = torch.Generator().manual_seed(0)
    x = torch.randn(2, 6, *size, generator=generator, requires_grad=True)
    weight = torch.randn(6, 1, kernel, kernel, generator=generator, requires_grad=True)
    bias = torch.randn(6, generator=generator, requires_grad=True)
    grad = torch.randn(2, 6, *size, generator=generator)
    ours = depthwise(x, weight, bias, dilation)
    edge = dilation * (kernel // 2)
    theirs = F.conv2d(x, weight, bias, padding=edge, dilation=dilation, groups=6)
    torch.testing.assert_close(ours, theirs)
    torch.testing.assert_close(
        torch.autograd.grad(ours, (x, weight, bias), grad),
        torch.autograd.grad(theirs, (x, weight, bias), grad),
        rtol=1e-4,
        atol=1e-4,
    )


@pytest.mark.parametrize(("kernel", "dilation"), [(5, 2), (3, 1)])
def test_in_bfloat16_within_its_rounding(kernel: int, dilation: int) -> None:
    """Sums are kept in float32: what is left is the rounding of inputs and results, 2⁻⁸ each."""
    x = torch.randn(1, 8, 9, 12, generator=torch.Generator().manual_seed(1), requires_grad=True)
    edge = dilation * (kernel // 2)
    unit = ConvUnit(8, 8, kernel, edges=(edge, edge), dilation=dilation, groups=8)
    exact = unit(x).square().mean()
    expected = torch.autograd.grad(exact, (x, unit.weight, unit.bias))
    with torch.autocast("cpu", dtype=torch.bfloat16):
        y = unit(x)
    assert y.dtype == torch.bfloat16
    found = torch.autograd.grad(y.float().square().mean(), (x, unit.weight, unit.bias))
    for ours, theirs in zip(found, expected, strict=True):
        assert ours.dtype == torch.float32
        assert (ours - theirs).norm() <= 0.02 * theirs.norm()


def test_frozen_kernels_and_frozen_inputs() -> None:
    unit = ConvUnit(4, 4, 5, edges=(2, 2), groups=4)
    x = torch.randn(1, 4, 6, 6)
    unit(x).sum().backward()
    assert unit.weight.grad is not None
    unit.requires_grad_(False)
    assert not unit(x).requires_grad
