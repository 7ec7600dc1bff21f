"""Frozen layers (§4.5) computed as inference computes them: without gradients, packed on a CPU."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from itertools import takewhile

import torch
from torch import Tensor, nn

from frcnn_cli.acceleration.packed import can_pack, pack
from frcnn_cli.acceleration.roi_pool import pooled
from frcnn_cli.model.fast_rcnn import FastRCNN, RegionOutput


class PartlyFrozen(nn.Module):
    """Computes what `model` does, the layers before the first trained one apart.

    Args:
        model: with its frozen layers chosen.
        dtype: type that the frozen layers compute in.
        apart: False computes frozen layers like the others, where hooks see them.
    """

    def __init__(self, model: FastRCNN, dtype: torch.dtype, *, apart: bool = True) -> None:
        super().__init__()
        self.model = model
        self.frozen = FrozenLayers(model.backbone.trunk, dtype)
        if not apart:
            self.frozen.count = 0

    def forward(self, images: Sequence[Tensor], rois: Sequence[Tensor]) -> RegionOutput:
        """Returns what `FastRCNN.forward` returns.

        Args:
            images: B of (1, 3, H, W), from `batch.prepare`.
            rois: B of (R_i, 4), xyxy in pixels of their image.
        """
        maxima = [
            pooled(self.model, self.features(image), boxes)
            for image, boxes in zip(images, rois, strict=True)
        ]
        return self.model.regions(torch.cat(maxima))

    def features(self, image: Tensor) -> Tensor:
        """Returns the feature map (1, C, H / stride, W / stride) of a prepared (1, 3, H, W)."""
        maps = self.frozen(image).contiguous(memory_format=torch.channels_last)
        features: Tensor = self.model.backbone.trunk[self.frozen.count :](maps)
        return features


class FrozenLayers:
    """A copy of a trunk's first layers: without gradients, in their final type, packed on a CPU.

    Which layers these are is decided at once; the copy is made at the first call, since a resumed
    run loads its weights in between. Layers with running statistics (batch norms that are not
    folded) and all layers after them are left to the trunk.

    Attributes:
        count: number of the trunk's layers that are computed here.

    Args:
        trunk: with its frozen layers chosen.
        dtype: type that the layers compute in.
    """

    def __init__(self, trunk: nn.Sequential, dtype: torch.dtype) -> None:
        self._trunk = trunk
        self._dtype = dtype
        self._layers: nn.Module | None = None
        self.count = sum(1 for _ in takewhile(_is_frozen, trunk))

    def __call__(self, image: Tensor) -> Tensor:
        """Returns the input of the next layer for a prepared image (1, 3, H, W)."""
        if not self.count:
            return image
        if self._layers is None:
            self._layers = self._copy(image.device)
        with torch.no_grad(), torch.autocast(image.device.type, enabled=False):
            maps: Tensor = self._layers(image.to(self._dtype, memory_format=torch.channels_last))
        return maps

    def _copy(self, device: torch.device) -> nn.Module:
        layers = copy.deepcopy(self._trunk[: self.count]).to(self._dtype)
        return pack(layers) if can_pack(device, self._dtype) else layers


def _is_frozen(layer: nn.Module) -> bool:
    trained = any(parameter.requires_grad for parameter in layer.parameters())
    return not trained and not any(True for _ in layer.buffers())
