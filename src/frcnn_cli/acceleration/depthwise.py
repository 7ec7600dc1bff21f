"""A fast gradient of depthwise convolutions on a CPU, where oneDNN's own takes most of a step.

oneDNN's backward pass of a depthwise convolution is fast for 3×3 kernels without dilation, and ten
times slower for others. Its forward pass is always fast, and the gradient of the input is a
convolution of the output's gradient with the flipped kernel. The gradient of a dilated kernel is
the sum of those on the sub-grids that its cells fall on, and that of a 5×5 kernel is put together
from four of 3×3.
"""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from frcnn_cli.model.backbones.conv_unit import ConvUnit


class FastBackwardConv(ConvUnit):
    """A depthwise `ConvUnit` with the gradient of this module, on the weights of another.

    Args:
        unit: whose parameters it shares, so that optimizers and checkpoints see no difference.
    """

    def __init__(self, unit: ConvUnit) -> None:
        with torch.device("meta"):  # no weights, and no random numbers, for ones that are replaced
            super().__init__(
                *(unit.in_channels, unit.out_channels, unit.kernel_size[0]),
                edges=unit.edges,
                dilation=unit.dilation[0],
                groups=unit.groups,
                activation=unit.activation,
            )
        self.weight, self.bias = unit.weight, unit.bias
        self.train(unit.training)

    def forward(self, x: Tensor) -> Tensor:
        """Returns (B, C, H, W) of (B, C, H, W)."""
        if not self.weight.requires_grad:
            return super().forward(x)
        assert self.bias is not None
        return self.activate(depthwise(x, self.weight, self.bias, self.dilation[0]))


def use_fast_backward(module: nn.Module) -> None:
    """Replaces the layers below `module` whose gradient is slow on a CPU; weights are shared."""
    for name, child in module.named_children():
        if isinstance(child, ConvUnit) and needs_fast_backward(child):
            setattr(module, name, FastBackwardConv(child))
        else:
            use_fast_backward(child)


def needs_fast_backward(unit: ConvUnit) -> bool:
    """Returns whether `unit` is on a CPU, and of the kind that `depthwise` computes."""
    return (
        unit.weight.device.type == "cpu"
        and unit.in_channels == unit.out_channels == unit.groups
        and unit.kernel_size[0] in (3, 5)
        and unit.stride[0] == 1
        and unit.dilation[0] in (1, 2)
    )


def depthwise(x: Tensor, weight: Tensor, bias: Tensor, dilation: int) -> Tensor:
    """Returns (B, C, H, W) of (B, C, H, W): a depthwise convolution that keeps the size.

    Args:
        x: (B, C, H, W) on a CPU, float32 or bfloat16; the result has the same type.
        weight: (C, 1, k, k) of any float type; k is 3 or 5.
        bias: (C,).
        dilation: 1 or 2.
    """
    if torch.is_autocast_enabled("cpu"):
        x = x.to(torch.get_autocast_dtype("cpu"))
    y: Tensor = _Depthwise.apply(x, weight, bias, dilation)
    return y


class _Depthwise(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor, bias: Tensor, dilation: int) -> Tensor:
        ctx.save_for_backward(x, weight)
        ctx.dilation = dilation
        return _same(x, weight.to(x.dtype), bias.to(x.dtype), dilation)

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, Tensor, Tensor, None]:
        x, weight = ctx.saved_tensors
        grad = grad.contiguous(memory_format=torch.channels_last)
        of_input = None
        if ctx.needs_input_grad[0]:
            of_input = _same(grad, weight.to(grad.dtype).flip(2, 3), None, ctx.dilation)
        of_bias = grad.sum((0, 2, 3), dtype=torch.float32).to(weight.dtype)
        kernel = weight.shape[-1]
        of_weight = _of_weight(x, grad, kernel, ctx.dilation).to(weight.dtype)
        return of_input, of_weight, of_bias, None


def _same(x: Tensor, weight: Tensor, bias: Tensor | None, dilation: int) -> Tensor:
    edge = dilation * (weight.shape[-1] // 2)
    return F.conv2d(x, weight, bias, padding=edge, dilation=dilation, groups=x.shape[1])


def _of_weight(x: Tensor, grad: Tensor, kernel: int, dilation: int) -> Tensor:
    """Returns the gradient (C, 1, k, k) of the kernel."""
    edge = dilation * (kernel // 2)
    below, right = (-side % dilation for side in grad.shape[2:])
    x = F.pad(x, (edge, edge + right, edge, edge + below))
    if dilation == 2:
        x, grad = _sub_grids(x), _sub_grids(F.pad(grad, (0, right, 0, below)))
    height, width = grad.shape[2:]

    def part(top: int, left: int) -> Tensor:
        seen = x[:, :, top : top + height + 2, left : left + width + 2]
        return _of_three(seen.contiguous(memory_format=torch.channels_last), grad)

    if kernel == 3:
        return part(0, 0)
    whole = grad.new_empty(grad.shape[1], 1, kernel, kernel)
    for top in (0, 2):
        for left in (0, 2):  # the middle row and column are written twice, with equal numbers
            whole[:, :, top : top + 3, left : left + 3] = part(top, left)
    return whole


def _of_three(x: Tensor, grad: Tensor) -> Tensor:
    """Returns the gradient (C, 1, 3, 3) of a 3×3 kernel; x is one cell larger on each side."""
    channels = grad.shape[1]
    shape = grad.new_empty(channels, 1, 3, 3)
    gradients: list[Tensor] = torch.ops.aten.convolution_backward(
        *(grad, x, shape, [channels], [1, 1], [0, 0], [1, 1], False, [0, 0], channels),
        [False, True, False],
    )
    return gradients[1]


def _sub_grids(x: Tensor) -> Tensor:
    """Returns the four grids of every second cell of (B, C, H, W), as (4 · B, C, H / 2, W / 2)."""
    batch, channels, height, width = x.shape
    cells = x.permute(0, 2, 3, 1).reshape(batch, height // 2, 2, width // 2, 2, channels)
    grids = cells.permute(2, 4, 0, 1, 3, 5).reshape(-1, height // 2, width // 2, channels)
    return grids.permute(0, 3, 1, 2)
