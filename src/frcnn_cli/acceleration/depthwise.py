"""The gradient of depthwise convolutions on a CPU, where oneDNN's own takes most of a step.

oneDNN's backward pass of a depthwise convolution is fast for 3×3 kernels without dilation, and ten
times slower for others. Forward, it is fast for all, and the gradient of the input is a convolution
of the output's gradient with the kernel turned round. The gradient of a dilated kernel is the sum
of those on the sub-grids that its cells fall on, and that of a 5×5 kernel consists of four 3×3.
"""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor


def is_covered(kernel: int, stride: int, dilation: int) -> bool:
    """Returns whether `depthwise` computes such convolutions."""
    return kernel in (3, 5) and stride == 1 and dilation in (1, 2)


def depthwise(x: Tensor, weight: Tensor, bias: Tensor, dilation: int) -> Tensor:
    """Returns (B, C, H, W) of (B, C, H, W): a depthwise convolution with as large an output.

    Args:
        x: on a CPU, float32 or bfloat16; the result has the same type.
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
        for left in (0, 2):  # the middle row and column twice, with the same numbers
            whole[:, :, top : top + 3, left : left + 3] = part(top, left)
    return whole


def _of_three(x: Tensor, grad: Tensor) -> Tensor:
    """Returns the gradient (C, 1, 3, 3) of a 3×3 kernel; x is a cell larger on every side."""
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
