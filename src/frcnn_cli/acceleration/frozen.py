"""The layers before the first one that is trained (§4.5), computed as detection computes them."""

from __future__ import annotations

import copy
from itertools import takewhile

import torch
from torch import Tensor, nn

from frcnn_cli.acceleration.packed import can_pack, pack


class FrozenLayers:
    """A copy of a trunk's first layers: without gradients, in their final type, packed on a CPU.

    Which layers these are is settled at once, the copy is made when it is first needed: a run that
    is resumed gets its weights in between. Layers that keep statistics of what they see (batch
    norms that are not folded) are left to the trunk, and all behind them.

    Attributes:
        count: how many of the trunk's layers these are.

    Args:
        trunk: what is trained in it has been chosen.
        dtype: what the layers compute in.
    """

    def __init__(self, trunk: nn.Sequential, dtype: torch.dtype) -> None:
        self._trunk = trunk
        self._dtype = dtype
        self._layers: nn.Module | None = None
        self.count = sum(1 for _ in takewhile(_is_frozen, trunk))

    def __call__(self, image: Tensor) -> Tensor:
        """Returns what the layer after these takes, of a prepared image (1, 3, H, W)."""
        if not self.count:
            return image
        if self._layers is None:
            self._layers = self._copy(image.device)
        with torch.no_grad(), torch.autocast(image.device.type, enabled=False):
            pixels = image.to(self._dtype, memory_format=torch.channels_last)
            seen: Tensor = self._layers(pixels)
        return seen

    def _copy(self, device: torch.device) -> nn.Module:
        layers = copy.deepcopy(self._trunk[: self.count]).to(self._dtype)
        return pack(layers) if can_pack(device) else layers


def _is_frozen(layer: nn.Module) -> bool:
    trained = any(parameter.requires_grad for parameter in layer.parameters())
    return not trained and not any(True for _ in layer.buffers())
