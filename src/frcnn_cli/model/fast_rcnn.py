"""Fast R-CNN (§2, Fig. 1): convolutions once per image, then every RoI from their feature map."""

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


class RegionOutput(NamedTuple):
    """The network's output for R RoIs: K classes and background (class 0).

    Attributes:
        class_logits: (R, K + 1), before the softmax.
        deltas: (R, K + 1, 4), normalised by the mean and deviation of the training targets.
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
        """Draws the weights of the sibling layers from N(0, std) (§2.3); biases are 0."""
        for layer, std in ((self.class_score, 0.01), (self.box_delta, 0.001)):
            nn.init.normal_(layer.weight, 0.0, std, generator=generator)
            nn.init.zeros_(layer.bias)

    def forward(self, images: Sequence[Tensor], rois: Sequence[Tensor]) -> RegionOutput:
        """Classifies the RoIs of each image and regresses their boxes.

        Args:
            images: B of (1, 3, H, W), from `batch.prepare`.
            rois: B of (R_i, 4), xyxy in pixels of their image.

        Returns:
            The output for all R RoIs, image by image.
        """
        pooled = [
            self.pooled(self.features(image), boxes)  # (R_i, C, P, P)
            for image, boxes in zip(images, rois, strict=True)
        ]
        return self.regions(torch.cat(pooled))  # (R, K + 1) and (R, K + 1, 4)

    def features(self, image: Tensor) -> Tensor:
        """Returns the feature map (1, C, H / stride, W / stride) of a prepared (1, 3, H, W)."""
        features: Tensor = self.backbone.trunk(image.contiguous(memory_format=torch.channels_last))
        return features  # (1, C, H / stride, W / stride)

    def pooled(self, features: Tensor, rois: Tensor) -> Tensor:
        """Returns (R, C, P, P): each RoI's part of the feature map on a fixed grid.

        Args:
            features: (1, C, H, W), from `features`.
            rois: (R, 4), xyxy in pixels of the image.
        """
        spec = self.backbone.spec
        rois, scale = self.to_feature_coords(rois), 1.0 / spec.stride
        if self.pool == "roi_align":
            return roi_align(features, rois, spec.pool_size, scale)
        return roi_pool(features, F.pad(rois, (1, 0)), spec.pool_size, scale)  # image 0

    def to_feature_coords(self, rois: Tensor) -> Tensor:
        """Returns RoIs (R, 4) in pixels relative to the cells, as the pooling takes them."""
        if self.pool == "roi_align":
            return rois - self.backbone.spec.offset
        moved = rois - max(self.backbone.spec.offset, 0)  # rounding looks half a cell back already
        moved[:, 2:] -= 1  # corners are inclusive pixels; those of boxes are edges
        return moved

    def regions(self, pooled: Tensor) -> RegionOutput:
        """Returns the output for pooled RoIs (R, C, P, P)."""
        return self.classify(self.backbone.head(pooled))

    def denormalised(self, output: RegionOutput) -> RegionOutput:
        """Returns the same with deltas of the boxes, not in deviations from their mean."""
        return output._replace(deltas=output.deltas * self.delta_std + self.delta_mean)

    def classify(self, vectors: Tensor) -> RegionOutput:
        """Returns what the two sibling layers compute of the head's vectors (R, D)."""
        deltas = self.box_delta(vectors)  # (R, 4 · (K + 1))
        return RegionOutput(self.class_score(vectors), deltas.view(-1, self.num_classes + 1, 4))
