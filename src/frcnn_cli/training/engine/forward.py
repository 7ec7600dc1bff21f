"""The forward pass of training: frozen layers apart, the others in the chosen precision."""

from __future__ import annotations

import torch
from torch import Tensor

from frcnn_cli.acceleration.depthwise import use_fast_backward
from frcnn_cli.acceleration.frozen import PartlyFrozen
from frcnn_cli.acceleration.roi_pool import pooled
from frcnn_cli.model.fast_rcnn import FastRCNN, RegionOutput


class Forward:
    """The forward pass of a step, for whatever trains and for whatever chooses examples.

    Attributes:
        model: on its device; the layers below it may be replaced by faster ones.
        network: computes what `model` does, without what frozen layers need no gradient for.

    Args:
        model: with its frozen layers chosen.
        autocast: lower precision for the layers after those, or None for float32.
        apart: compute frozen layers apart; else the trunk computes them too, where hooks see them.
    """

    def __init__(
        self, model: FastRCNN, autocast: torch.dtype | None = None, *, apart: bool = True
    ) -> None:
        use_fast_backward(model)
        self.model = model
        self.network = PartlyFrozen(model, autocast or torch.float32, apart=apart)
        self._autocast = autocast

    def casting(self) -> torch.autocast:
        """Returns the context in which layers compute in the chosen precision."""
        device = next(self.model.parameters()).device
        return torch.autocast(device.type, dtype=self._autocast, enabled=self._autocast is not None)

    def features(self, image: Tensor) -> Tensor:
        """Returns the feature map (1, C, H / stride, W / stride) of a prepared (1, 3, H, W)."""
        with self.casting():
            return self.network.features(image)

    def regions(self, features: Tensor, rois: Tensor) -> RegionOutput:
        """Returns the output for RoIs (R, 4) on a feature map (1, C, H, W)."""
        with self.casting():
            return self.model.regions(pooled(self.model, features, rois))
