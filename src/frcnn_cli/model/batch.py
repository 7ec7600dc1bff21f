"""Images and RoIs as the network takes them.

Images are not stacked into one tensor: padding a wide one and a tall one to a common size would
cost a third more convolutions and change the features at their borders.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

from frcnn_cli.runtime.device import to_device


@dataclass(frozen=True)
class Preprocessing:
    """Turns pixels into the network's input: (pixel - mean) / std.

    Attributes:
        mean: per input channel, on the scale 0..255.
        std: per input channel, on the scale 0..255.
        bgr: channels in the order blue, green, red (Caffe weights); else red, green, blue.
    """

    mean: tuple[float, float, float]
    std: tuple[float, float, float]
    bgr: bool = False

    def __call__(self, image: Tensor) -> Tensor:
        """Returns (..., 3, H, W) float32 of an RGB image (..., 3, H, W) in 0..255."""
        pixels = image.float()
        if self.bgr:
            pixels = pixels.flip(-3)
        mean, std = (
            to_device(torch.tensor(values), image.device)[:, None, None]  # (3, 1, 1)
            for values in (self.mean, self.std)
        )
        return (pixels - mean) / std


IMAGENET_RGB = Preprocessing((123.675, 116.28, 103.53), (58.395, 57.12, 57.375))
"""Torchvision's ImageNet weights."""
CAFFE_BGR = Preprocessing((102.9801, 115.9465, 122.7717), (1.0, 1.0, 1.0), bgr=True)
"""The Caffe release's ImageNet weights."""


class Batch(NamedTuple):
    """One training step's input: B images and R RoIs in total.

    Attributes:
        images: B of (1, 3, H, W) float32, from `prepare`.
        rois: B of (R_i, 4) float32: xyxy in their image.
        labels: (R,) int64; 0 is background.
        deltas: (R, 4) float32: regression targets, not normalised.
        image_ids: of the B images.
    """

    images: tuple[Tensor, ...]
    rois: tuple[Tensor, ...]
    labels: Tensor
    deltas: Tensor
    image_ids: tuple[str, ...]

    def to(self, device: torch.device) -> Batch:
        """Returns the batch on `device`."""
        return self.apply(lambda tensor: tensor.to(device, non_blocking=True))

    def apply(self, function: Callable[[Tensor], Tensor]) -> Batch:
        """Returns the batch with `function` of each of its tensors."""
        return self._replace(
            images=tuple(map(function, self.images)),
            rois=tuple(map(function, self.rois)),
            labels=function(self.labels),
            deltas=function(self.deltas),
        )


def prepare(image: Tensor, preprocessing: Preprocessing, stride: int) -> Tensor:
    """Returns (1, 3, H, W): a preprocessed image (3, h, w), zeros to the right and below.

    H and W are the smallest multiples of `stride` that hold it.

    Args:
        image: (3, h, w) uint8 or float, RGB in 0..255.
        preprocessing: the backbone's.
        stride: pixels per feature cell.
    """
    height, width = image.shape[1:]
    return F.pad(preprocessing(image), (0, -width % stride, 0, -height % stride))[None]
