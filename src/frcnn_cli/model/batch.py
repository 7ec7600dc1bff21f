"""Photographs and RoIs joined into what the network takes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

from frcnn_cli.model.backbones.base import Preprocessing


class Batch(NamedTuple):
    """One training step's input.

    Attributes:
        images: (B, 3, H, W) float32, preprocessed.
        rois: (R, 5) float32: index of the image, xyxy in `images`.
        labels: (R,) int64; 0 is background.
        deltas: (R, 4) float32: regression targets, not normalised.
        image_ids: of the B photographs.
    """

    images: Tensor
    rois: Tensor
    labels: Tensor
    deltas: Tensor
    image_ids: tuple[str, ...]

    def to(self, device: torch.device) -> Batch:
        """Returns the batch on `device`."""
        images, rois, labels, deltas = (
            each.to(device, non_blocking=True)
            for each in (self.images, self.rois, self.labels, self.deltas)
        )
        return Batch(images, rois, labels, deltas, self.image_ids)


def join_images(images: Sequence[Tensor], preprocessing: Preprocessing, stride: int) -> Tensor:
    """Returns (B, 3, H, W): preprocessed photographs (3, h, w), zeros to the right of and below.

    H and W are the least multiples of `stride` that hold every photograph.
    """
    height, width = (
        -(-max(image.shape[axis] for image in images) // stride) * stride for axis in (1, 2)
    )
    return torch.stack(
        [
            F.pad(preprocessing(image), (0, width - image.shape[2], 0, height - image.shape[1]))
            for image in images
        ]
    )


def join_rois(rois: Sequence[Tensor]) -> Tensor:
    """Returns (R, 5): the boxes (R_i, 4) of each image behind its index."""
    return torch.cat([F.pad(boxes, (1, 0), value=float(i)) for i, boxes in enumerate(rois)])
