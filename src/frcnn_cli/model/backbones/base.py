"""What a backbone is: a trunk over the photograph, a head over each RoI, and how to feed them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from frcnn_cli.acceleration.depthwise import depthwise, is_covered
from frcnn_cli.errors import ConfigError

StateDict = Mapping[str, Tensor]
Activation = Literal["none", "relu", "relu6"]


@dataclass(frozen=True)
class Preprocessing:
    """How a photograph's pixels become the network's input: (pixel - mean) / std.

    Attributes:
        mean: of each input channel, on the scale 0..255.
        std: of each input channel, on the scale 0..255.
        bgr: channels in the order blue, green, red (Caffe weights); else red, green, blue.
    """

    mean: tuple[float, float, float]
    std: tuple[float, float, float]
    bgr: bool = False

    def __call__(self, image: Tensor) -> Tensor:
        """Returns (..., 3, H, W) float32 of an RGB photograph (..., 3, H, W) in 0..255."""
        pixels = image.float()
        if self.bgr:
            pixels = pixels.flip(-3)
        mean = torch.tensor(self.mean, device=image.device)[:, None, None]
        std = torch.tensor(self.std, device=image.device)[:, None, None]
        return (pixels - mean) / std


IMAGENET_RGB = Preprocessing((123.675, 116.28, 103.53), (58.395, 57.12, 57.375))
"""Torchvision's ImageNet weights."""
CAFFE_BGR = Preprocessing((102.9801, 115.9465, 122.7717), (1.0, 1.0, 1.0), bgr=True)
"""The Caffe release's ImageNet weights."""


@dataclass(frozen=True)
class BackboneSpec:
    """The facts about a backbone that the rest of the model needs.

    Attributes:
        channels: C of the feature map.
        stride: pixels a cell of the feature map.
        offset: pixels by which a cell sees to the right of and below its place (i + 0.5) · stride.
        pool_size: P, bins a side of RoI pooling.
        head_features: D of the vector that the head makes of an RoI.
        finetune_from: the first layer trained by default (§4.5).
        preprocessing: of its ImageNet weights.
        convert: maps its ImageNet weights, as published, to this project's names.
    """

    channels: int
    stride: int
    pool_size: int
    head_features: int
    finetune_from: str
    preprocessing: Preprocessing
    convert: Callable[[StateDict], dict[str, Tensor]]
    offset: float = 0.0


class Backbone(nn.Module):
    """A trunk `(B, 3, H, W) → (B, C, H/stride, W/stride)` and a head `(R, C, P, P) → (R, D)`.

    Both are sequences of named layers, in the order of the network; the names are what
    `--finetune-from` takes.
    """

    def __init__(self, spec: BackboneSpec, trunk: nn.Sequential, head: nn.Sequential) -> None:
        super().__init__()
        self.spec = spec
        self.trunk = trunk
        self.head = head

    def layers(self) -> dict[str, nn.Module]:
        """Returns the layers with weights, first to last."""
        named = [*self.trunk.named_children(), *self.head.named_children()]
        return {name: layer for name, layer in named if any(True for _ in layer.parameters())}

    def freeze_below(self, name: str) -> None:
        """Freezes every layer before `name`; "" is the default, "all" freezes nothing.

        Raises:
            ConfigError: there is no such layer.
        """
        layers = self.layers()
        first = name or self.spec.finetune_from
        if first != "all" and first not in layers:
            raise ConfigError(
                f"finetune_from is {first!r}", remedy=f"use all or one of {', '.join(layers)}"
            )
        trained = first == "all"
        for layer_name, layer in layers.items():
            trained = trained or layer_name == first
            layer.requires_grad_(trained)


class ConvUnit(nn.Conv2d):
    """A convolution with zeros around its input and the activation behind it.

    One module, so that detection can do all three in one pass over the map (`model.packed`).

    Args:
        cin: input channels.
        cout: output channels.
        kernel: cells a side.
        stride: of the kernel.
        edges: zeros before and behind the input, on both axes.
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
        self._learns_slowly = cin == cout == groups and is_covered(kernel, stride, dilation)

    def forward(self, x: Tensor) -> Tensor:
        """Returns (B, O, h, w) of (B, I, H, W)."""
        before, after = self.edges
        if self._learns_slowly and self.weight.requires_grad and x.device.type == "cpu":
            assert self.bias is not None
            y = depthwise(x, self.weight, self.bias, self.dilation[0])
        else:
            y = super().forward(x if before == after else F.pad(x, (before, after) * 2))
        if self.activation == "none":
            return y
        return F.relu(y, inplace=True) if self.activation == "relu" else F.relu6(y, inplace=True)


def fold_batch_norm(source: StateDict, conv: str, norm: str, eps: float) -> tuple[Tensor, Tensor]:
    """Returns the weight (O, I, h, w) and bias (O,) of a convolution with its batch norm folded in.

    A frozen batch norm is an affine map of each channel, so the folded convolution is the same
    function with one pass less over the feature map.

    Args:
        source: published weights.
        conv: name of a convolution without bias.
        norm: name of the batch norm behind it.
        eps: of the batch norm.
    """
    variance = source[f"{norm}.running_var"]
    factor = source[f"{norm}.weight"] / torch.sqrt(variance + eps)
    bias = source[f"{norm}.bias"] - source[f"{norm}.running_mean"] * factor
    return source[f"{conv}.weight"] * factor[:, None, None, None], bias
