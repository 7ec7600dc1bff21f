"""The detector: convolutions once over the photograph, then every region from their map."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from frcnn_cli.config import Pool
from frcnn_cli.model.backbones.base import Backbone
from frcnn_cli.model.roi_align import roi_align
from frcnn_cli.model.roi_pool import roi_pool

CLASS_STD = 0.01
"""Initial weights of the classifier are N(0, 0.01) (§2.3)."""
BOX_STD = 0.001
"""Initial weights of the box regressor are N(0, 0.001) (§2.3)."""


class RegionOutput(NamedTuple):
    """What the network says of R regions, for K classes and background (class 0).

    Attributes:
        class_logits: (R, K + 1), before the softmax.
        deltas: (R, K + 1, 4), normalised by the training targets' mean and deviation.
    """

    class_logits: Tensor
    deltas: Tensor


class FastRCNN(nn.Module):
    """Fast R-CNN (§2, Fig. 1): trunk → RoI pooling → head → sibling class and box layers.

    Args:
        backbone: trunk and head.
        num_classes: K, without background.
        pool: RoI max pooling or RoIAlign.
    """

    delta_mean: Tensor
    delta_std: Tensor

    def __init__(self, backbone: Backbone, num_classes: int, pool: Pool = "roi_pool") -> None:
        super().__init__()
        self.backbone = backbone
        self.num_classes = num_classes
        self.pool = pool
        features = backbone.spec.head_features
        self.class_score = nn.Linear(features, num_classes + 1)
        self.box_delta = nn.Linear(features, 4 * (num_classes + 1))
        self.register_buffer("delta_mean", torch.zeros(4))
        self.register_buffer("delta_std", torch.ones(4))

    def initialise(self, generator: torch.Generator) -> None:
        """Draws the two sibling layers as §2.3 does; biases are 0."""
        for layer, std in ((self.class_score, CLASS_STD), (self.box_delta, BOX_STD)):
            nn.init.normal_(layer.weight, 0.0, std, generator=generator)
            nn.init.zeros_(layer.bias)

    def features(self, image: Tensor, begin: int = 0) -> Tensor:
        """Returns the feature map (1, C, H / stride, W / stride) of a prepared (1, 3, H, W).

        Args:
            image: the photograph, or what the first `begin` layers of the trunk made of it.
            begin: layers that are left out.
        """
        layers = self.backbone.trunk[begin:] if begin else self.backbone.trunk
        features: Tensor = layers(image.contiguous(memory_format=torch.channels_last))
        return features

    def pooled(self, features: Tensor, rois: Tensor) -> Tensor:
        """Returns (R, C, P, P): each RoI's part of the feature map on a fixed grid.

        Args:
            features: (1, C, H, W), from `features`.
            rois: (R, 4), xyxy in pixels of the resized photograph.
        """
        spec = self.backbone.spec
        moved, scale = self.on_map(rois), 1.0 / spec.stride
        if self.pool == "roi_align":
            return roi_align(features, moved, spec.pool_size, scale)
        # The image's index is 0.
        return roi_pool(features, F.pad(moved, (1, 0)), spec.pool_size, scale)

    def on_map(self, rois: Tensor) -> Tensor:
        """Returns RoIs (R, 4) as the pooling counts pixels: where cells see, and how they end."""
        moved = rois - self.backbone.spec.offset
        if self.pool == "roi_pool":
            # RoI pooling speaks of the last pixel, our boxes of the edge behind it.
            moved[:, 2:] -= 1
        return moved

    def regions(self, pooled: Tensor) -> RegionOutput:
        """Returns what the head says of pooled RoIs (R, C, P, P)."""
        return self.classify(self.backbone.head(pooled))

    def classify(self, vectors: Tensor) -> RegionOutput:
        """Returns what the two sibling layers say of the head's vectors (R, D)."""
        deltas = self.box_delta(vectors).view(-1, self.num_classes + 1, 4)
        return RegionOutput(self.class_score(vectors), deltas)

    def forward(
        self, images: Sequence[Tensor], rois: Sequence[Tensor], begin: int = 0
    ) -> RegionOutput:
        """Classifies and moves the RoIs of each image.

        Args:
            images: B of (1, 3, H, W), from `batch.prepare`.
            rois: B of (R_i, 4), xyxy in pixels of their image.
            begin: layers of the trunk that the images have been through.

        Returns:
            The output for all R RoIs, image by image.
        """
        pooled = [
            self.pooled(self.features(image, begin), boxes)
            for image, boxes in zip(images, rois, strict=True)
        ]
        return self.regions(torch.cat(pooled))

    def set_dropout(self, p: float) -> None:
        """Sets the probability of every dropout layer."""
        for module in self.modules():
            if isinstance(module, nn.Dropout):
                module.p = p
