"""How training computes with a model: frozen layers packed, the rest in its precision."""

from __future__ import annotations

import torch
from torch import Tensor

from frcnn_cli.acceleration.frozen import FrozenLayers
from frcnn_cli.model.fast_rcnn import FastRCNN, RegionOutput


class Forward:
    """The forward pass of a step, for all who need one: what learns, and what chooses examples.

    Attributes:
        model: on its device.
        frozen: the first layers of its trunk, which learn nothing.

    Args:
        model: what is trained in it has been chosen.
        autocast: lower precision for the layers behind those, or None for float32.
        apart: compute frozen layers apart; else the trunk computes them too, where hooks see them.
    """

    def __init__(
        self, model: FastRCNN, autocast: torch.dtype | None = None, *, apart: bool = True
    ) -> None:
        self.model = model
        self.frozen = FrozenLayers(model.backbone.trunk, autocast or torch.float32)
        if not apart:
            self.frozen.count = 0
        self._autocast = autocast

    def casting(self) -> torch.autocast:
        """Returns the context in which layers compute in the chosen precision."""
        device = next(self.model.parameters()).device
        return torch.autocast(device.type, dtype=self._autocast, enabled=self._autocast is not None)

    def features(self, image: Tensor) -> Tensor:
        """Returns the feature map (1, C, H / stride, W / stride) of a prepared (1, 3, H, W)."""
        with self.casting():
            return self.model.features(self.frozen(image), self.frozen.count)

    def regions(self, features: Tensor, rois: Tensor) -> RegionOutput:
        """Returns what the network says of RoIs (R, 4) on a feature map."""
        with self.casting():
            return self.model.regions(self.model.pooled(features, rois))
