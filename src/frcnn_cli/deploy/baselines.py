"""The detectors that ours is measured against: R-CNN, and Fast R-CNN as torchvision offers it."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt
import torch
import torch.nn.functional as F
from torch import Tensor
from torchvision.ops import roi_align, roi_pool

from frcnn_cli.acceleration.inference import OnStage
from frcnn_cli.model.batch import prepare
from frcnn_cli.model.fast_rcnn import FastRCNN, RegionOutput
from frcnn_cli.records import FloatArray

RCNN_SIDE = 224
"""Pixels per side of a warped region."""


@dataclass(frozen=True)
class BenchImage:
    """The input of a variant.

    Attributes:
        pixels: (H, W, 3) uint8, RGB.
        boxes: (R, 4) xyxy in its pixels.
        resized: (h, w, 3), at the size of the network.
        rois: (R, 4), the boxes in pixels of `resized`.
    """

    pixels: npt.NDArray[np.uint8]
    boxes: FloatArray
    resized: npt.NDArray[np.uint8]
    rois: FloatArray


class Plain:
    """Convolutions once per image, torchvision's pooling, float32, planes one by one.

    Args:
        model: on its device; its weights are put into torch's default order.
    """

    def __init__(self, model: FastRCNN) -> None:
        self.model = model.eval().to(memory_format=torch.contiguous_format)
        self.device = model.class_score.weight.device

    @torch.inference_mode()
    def __call__(self, image: BenchImage, on_stage: OnStage) -> RegionOutput:
        """Returns the output for all R boxes."""
        spec = self.model.backbone.spec
        pixels = torch.from_numpy(image.resized).permute(2, 0, 1).contiguous().to(self.device)
        features = self.model.backbone.trunk(prepare(pixels, spec.preprocessing, spec.stride))
        on_stage("trunk")
        moved = self.model.to_feature_coords(torch.from_numpy(image.rois).to(self.device))
        rois = F.pad(moved, (1, 0))  # the image's index is 0
        if self.model.pool == "roi_pool":
            pooled = roi_pool(features, rois, spec.pool_size, 1.0 / spec.stride)
        else:
            pooled = roi_align(features, rois, spec.pool_size, 1.0 / spec.stride, 2, aligned=True)
        on_stage("pooling")
        output = self.model.denormalised(self.model.regions(pooled))
        on_stage("head")
        return output


class RCNN:
    """Each region warped to a square and run through the whole network (Girshick et al. 2014).

    Args:
        model: as `Plain` takes it.
        regions: how many of an image's regions are run; the time is for these.
    """

    def __init__(self, model: FastRCNN, regions: int) -> None:
        self._model = model
        self._regions = regions
        self._device = model.class_score.weight.device

    @torch.inference_mode()
    def __call__(self, image: BenchImage, on_stage: OnStage) -> RegionOutput:
        """Returns the output for the first `regions` boxes."""
        spec = self._model.backbone.spec
        outputs = []
        for box in image.boxes[: self._regions]:
            pixels = torch.from_numpy(_warped(image.pixels, box)).permute(2, 0, 1)
            crop = prepare(pixels.contiguous().to(self._device), spec.preprocessing, spec.stride)
            features = self._model.backbone.trunk(crop)
            on_stage("trunk")
            pooled: Tensor = F.adaptive_max_pool2d(features, spec.pool_size)
            on_stage("pooling")
            outputs.append(self._model.denormalised(self._model.regions(pooled)))
            on_stage("head")
        return RegionOutput(*map(torch.cat, zip(*outputs, strict=True)))


def _warped(image: npt.NDArray[np.uint8], box: FloatArray) -> npt.NDArray[np.uint8]:
    """Returns (224, 224, 3): a region stretched to a square."""
    x1, y1 = np.floor(box[:2]).astype(int)
    x2, y2 = np.maximum(np.ceil(box[2:]).astype(int), (x1 + 1, y1 + 1))
    region = image[y1:y2, x1:x2]
    return cv2.resize(region, (RCNN_SIDE, RCNN_SIDE)).astype(np.uint8, copy=False)
