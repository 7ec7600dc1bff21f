"""The convolution of networks with batch norms, which are folded into it."""

from __future__ import annotations

from collections.abc import Mapping
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
        edges: zeros before and after the input, on both axes; None is TensorFlow's "SAME" padding
            of an even-sized input.
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
        edges: tuple[int, int] | None = None,
        dilation: int = 1,
        groups: int = 1,
        activation: Activation = "none",
    ) -> None:
        if edges is None:
            total = max(dilation * (kernel - 1) + 1 - stride, 0)
            edges = (total // 2, total - total // 2)
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


def fold_batch_norms(
    source: StateDict, layers: Mapping[str, tuple[str, str]], eps: float
) -> dict[str, Tensor]:
    """Returns the weights (O, I, h, w) and biases (O,) of convolutions with batch norms folded in.

    A frozen batch norm is an affine map of each channel, so one convolution computes both.

    Args:
        source: published weights.
        layers: by our name, their names of a convolution without bias and the batch norm after it.
        eps: of the batch norms.
    """
    weights = {}
    for ours, (conv, norm) in layers.items():
        factor = source[f"{norm}.weight"] / torch.sqrt(source[f"{norm}.running_var"] + eps)
        weights[f"{ours}.weight"] = source[f"{conv}.weight"] * factor[:, None, None, None]
        weights[f"{ours}.bias"] = source[f"{norm}.bias"] - source[f"{norm}.running_mean"] * factor
    return weights
