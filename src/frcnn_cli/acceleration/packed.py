"""Layers packed for one pass over memory on a CPU, by oneDNN, which is part of torch.

Torch's own convolution reorders its weights for oneDNN at every call, and its activation reads and
writes the whole map once more. The operators used here are those that torch's compiler emits;
where a build of torch lacks them, or oneDNN lacks the type on this CPU, layers stay as they are.
"""

from __future__ import annotations

from collections.abc import Mapping
from itertools import pairwise
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from frcnn_cli.model.backbones.conv_unit import Activation, ConvUnit

_ATTRIBUTES: Mapping[Activation, tuple[str, list[float]]] = {
    "none": ("none", []),
    "relu": ("relu", []),
    "relu6": ("hardtanh", [0.0, 6.0]),
}
_OPERATORS = ("_convolution_pointwise", "_reorder_convolution_weight")
_ASK_CPU: Mapping[torch.dtype, str] = {
    torch.bfloat16: "_is_mkldnn_bf16_supported",
    torch.float16: "_is_mkldnn_fp16_supported",
}
"""Operators that return whether oneDNN computes in a type on this CPU. Where
it does not (AVX2 alone), packed convolutions raise, but torch's own take every type."""


def can_pack(device: torch.device, dtype: torch.dtype) -> bool:
    """Returns whether layers of `dtype` on `device` can be packed."""
    operators = torch.ops.mkldnn
    if (
        device.type != "cpu"
        or not torch.backends.mkldnn.is_available()  # type: ignore[no-untyped-call]
        or not all(hasattr(operators, name) for name in _OPERATORS)
    ):
        return False
    ask = _ASK_CPU.get(dtype)
    return ask is None or (hasattr(operators, ask) and bool(getattr(operators, ask)()))


def pack(module: nn.Module) -> nn.Module:
    """Replaces the convolutions in `module` and the activations after them; returns it.

    The weights must have their final type, see `can_pack`; they can no longer be trained.
    """
    if isinstance(module, ConvUnit):
        return PackedConv(module, module.edges, module.activation)
    if isinstance(module, nn.Sequential):
        _pack_sequence(module)
    for name, child in module.named_children():
        setattr(module, name, pack(child))
    return module


def _pack_sequence(layers: nn.Sequential) -> None:
    """Packs pairs of neighbouring layers; the layers keep their names."""
    named = list(layers.named_children())
    for (name, layer), (following_name, following) in pairwise([*named, ("", nn.Identity())]):
        if type(layer) is nn.Conv2d and _is_simple(layer):
            activation = _activation(following)
            if activation != "none":
                setattr(layers, following_name, nn.Identity())
            setattr(layers, name, PackedConv(layer, None, activation))
        elif isinstance(following, nn.MaxPool2d) and _halves(following) and _is_positive(layer):
            setattr(layers, following_name, HalvingMaxPool())


def _activation(layer: nn.Module) -> Activation:
    """Returns which activation a layer is; a ReLU6 is not a subclass of ReLU."""
    if isinstance(layer, nn.ReLU6):
        return "relu6"
    return "relu" if isinstance(layer, nn.ReLU) else "none"


def _is_positive(layer: nn.Module) -> bool:
    """Returns whether a layer's output has no negative numbers."""
    if isinstance(layer, nn.Sequential) and len(layer):
        return _is_positive(layer[-1])
    if isinstance(layer, ConvUnit):
        return layer.activation != "none"
    return _activation(layer) != "none"


def _is_simple(conv: nn.Conv2d) -> bool:
    return isinstance(conv.padding, tuple) and conv.padding_mode == "zeros"


def _halves(pool: nn.MaxPool2d) -> bool:
    arguments = (pool.kernel_size, pool.stride, pool.padding, pool.dilation, pool.ceil_mode)
    return arguments == (2, 2, 0, 1, False)


class PackedConv(nn.Module):
    """A convolution and its activation, with weights in oneDNN's order.

    Args:
        conv: on a CPU, with weights of the type that it computes in.
        edges: zeros before and after the input, where they differ from `conv.padding`.
        activation: applied to the output.
    """

    def __init__(
        self, conv: nn.Conv2d, edges: tuple[int, int] | None, activation: Activation
    ) -> None:
        super().__init__()
        weight, padding = conv.weight.detach(), conv.padding
        if edges is not None and edges[0] != edges[1]:
            # oneDNN needs equal padding on both sides. A kernel with a first row and column of
            # zeros computes the same from a larger padding before the input.
            before, after = edges
            weight = F.pad(weight, (after - before, 0, after - before, 0))
            padding = (after, after)
        self._weight = weight.contiguous(memory_format=torch.channels_last)
        self._bias = None if conv.bias is None else conv.bias.detach()
        self._geometry: tuple[Any, ...] = (
            *(list(padding), list(conv.stride), list(conv.dilation), conv.groups),
        )
        self._attributes = _ATTRIBUTES[activation]
        self._packed: Tensor | None = None

    def forward(self, x: Tensor) -> Tensor:
        """Returns (B, O, h, w) of (B, I, H, W)."""
        if self._packed is None:
            # The best order depends on the size of the map; it is correct for every size.
            self._packed = torch.ops.mkldnn._reorder_convolution_weight(
                self._weight, *self._geometry, list(x.shape)
            )
            del self._weight
        y: Tensor = torch.ops.mkldnn._convolution_pointwise(
            x, self._packed, self._bias, *self._geometry, *self._attributes, ""
        )
        return y


class HalvingMaxPool(nn.Module):
    """Max pooling 2×2 with stride 2 of a map without negative numbers, the output of a ReLU.

    Non-negative 16-bit floats are ordered like the integers of the same bits, whose maxima are
    several times faster on a CPU.
    """

    def forward(self, x: Tensor) -> Tensor:
        """Returns (B, C, H // 2, W // 2) of (B, C, H, W)."""
        if x.element_size() != 2:
            return F.max_pool2d(x, 2)
        height, width = (side // 2 * 2 for side in x.shape[2:])
        bits = x.view(torch.int16)[:, :, :height, :width]
        rows = torch.maximum(bits[:, :, ::2], bits[:, :, 1::2])
        return torch.maximum(rows[..., ::2], rows[..., 1::2]).view(x.dtype)
