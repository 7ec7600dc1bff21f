"""The convolution of networks with batch norms, which are folded into it."""

from __future__ import annotations

from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from frcnn_cli.model.backbones.base import StateDict

Activation = Literal["none", "relu", "relu6"]


class ConvUnit(nn.Conv2d):
    """A convolution with its zero padding and its activation.

    Args:
        cin: input channels.
        cout: output channels.
        kernel: cells per side.
        stride: of the kernel.
        edges: zeros before and after the input, on both axes.
        dilation: of the kernel.
        groups: of the channels.
        activation: applied to the output.
    """

    def __init__(
        self,
        cin: int,
        cout: int,
        kernel: int,
        stride: int = 1,
        *,
        edges: tuple[int, int] = (0, 0),
        dilation: int = 1,
        groups: int = 1,
        activation: Activation = "none",
    ) -> None:
        padding = edges[0] if edges[0] == edges[1] else 0
        super().__init__(cin, cout, kernel, stride, padding, dilation, groups)
        self.edges = edges
        self.activation: Activation = activation

    def forward(self, x: Tensor) -> Tensor:
        """Returns (B, O, h, w) of (B, I, H, W)."""
        before, after = self.edges
        return self.activate(
            super().forward(x if before == after else F.pad(x, (before, after) * 2))
        )

    def activate(self, y: Tensor) -> Tensor:
        """Returns the activation of `y` (B, O, h, w), which may be overwritten."""
        if self.activation == "none":
            return y
        # ReLU6 in place would copy its input for the backward pass.
        return F.relu(y, inplace=True) if self.activation == "relu" else F.relu6(y)


def fold_batch_norm(source: StateDict, conv: str, norm: str, eps: float) -> tuple[Tensor, Tensor]:
    """Returns the weight (O, I, h, w) and bias (O,) of a convolution with its batch norm folded in.

    A frozen batch norm is an affine map of each channel, so one convolution computes both.

    Args:
        source: published weights.
        conv: name of a convolution without bias.
        norm: name of the batch norm after it.
        eps: of the batch norm.
    """
    variance = source[f"{norm}.running_var"]
    factor = source[f"{norm}.weight"] / torch.sqrt(variance + eps)
    bias = source[f"{norm}.bias"] - source[f"{norm}.running_mean"] * factor
    return source[f"{conv}.weight"] * factor[:, None, None, None], bias
