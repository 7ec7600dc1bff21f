"""Photographs and RoIs as the network takes them.

Photographs are not joined into one tensor: padding a wide one and a tall one to a common size would
cost a third more convolutions and change what is seen at their borders.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

from frcnn_cli.model.backbones.base import Preprocessing


class Batch(NamedTuple):
    """One training step's input: B photographs and R RoIs in all.

    Attributes:
        images: B of (1, 3, h, w) float32, preprocessed.
        rois: B of (R_i, 4) float32: xyxy in their image.
        labels: (R,) int64; 0 is background.
        deltas: (R, 4) float32: regression targets, not normalised.
        image_ids: of the B photographs.
    """

    images: tuple[Tensor, ...]
    rois: tuple[Tensor, ...]
    labels: Tensor
    deltas: Tensor
    image_ids: tuple[str, ...]

    def to(self, device: torch.device) -> Batch:
        """Returns the batch on `device`."""

        def move(tensor: Tensor) -> Tensor:
            return tensor.to(device, non_blocking=True)

        return Batch(
            tuple(map(move, self.images)),
            tuple(map(move, self.rois)),
            move(self.labels),
            move(self.deltas),
            self.image_ids,
        )


def prepare(image: Tensor, preprocessing: Preprocessing, stride: int) -> Tensor:
    """Returns (1, 3, H, W): a preprocessed photograph (3, h, w), zeros to the right and below.

    H and W are the least multiples of `stride` that hold it.
    """
    height, width = image.shape[1:]
    return F.pad(preprocessing(image), (0, -width % stride, 0, -height % stride))[None]
