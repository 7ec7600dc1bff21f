"""The gradients of depthwise convolutions against torch's own, and the layers that use them."""

from __future__ import annotations

from itertools import product

import pytest
import torch
import torch.nn.functional as F

from frcnn_cli.acceleration.depthwise import FastBackwardConv, depthwise, use_fast_backward
from frcnn_cli.config import ModelConfig
from frcnn_cli.model.backbones.conv_unit import ConvUnit
from frcnn_cli.model.build import build_model

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
    fast = FastBackwardConv(unit)
    expected = torch.autograd.grad(exact, (x, unit.weight, unit.bias))
    with torch.autocast("cpu", dtype=torch.bfloat16):
        y = fast(x)
    assert y.dtype == torch.bfloat16
    found = torch.autograd.grad(y.float().square().mean(), (x, unit.weight, unit.bias))
    for ours, theirs in zip(found, expected, strict=True):
        assert ours.dtype == torch.float32
        assert (ours - theirs).norm() <= 0.02 * theirs.norm()


def test_frozen_kernels_and_frozen_inputs() -> None:
    unit = FastBackwardConv(ConvUnit(4, 4, 5, edges=(2, 2), groups=4))
    x = torch.randn(1, 4, 6, 6)
    unit(x).sum().backward()
    assert unit.weight.grad is not None
    unit.requires_grad_(False)
    assert not unit(x).requires_grad


def test_a_network_with_replaced_layers_computes_the_same_gradients() -> None:
    plain = build_model(ModelConfig(), 3, seed=1).eval()
    fast = build_model(ModelConfig(), 3, seed=1).eval()
    state = torch.random.get_rng_state()
    use_fast_backward(fast)
    assert torch.equal(state, torch.random.get_rng_state())
    assert [*fast.state_dict()] == [*plain.state_dict()]
    replaced = [m for m in fast.modules() if isinstance(m, FastBackwardConv)]
    assert replaced
    image = torch.randn(1, 3, 64, 96, generator=torch.Generator().manual_seed(0))
    rois = torch.tensor([[0.0, 0, 96, 64], [10, 20, 60, 60]])
    for model in (plain, fast):
        output = model([image], [rois])
        (output.class_logits.square().sum() + output.deltas.square().sum()).backward()
    named = dict(fast.named_parameters())
    for name, parameter in plain.named_parameters():
        if parameter.grad is None:
            assert named[name].grad is None
        else:
            torch.testing.assert_close(named[name].grad, parameter.grad, rtol=1e-3, atol=1e-5)
