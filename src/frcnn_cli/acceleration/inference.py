"""Inference with a trained network: the same function in fewer passes over memory.

Each a switch of `SpeedConfig`: 16-bit numbers where the device computes in them, RoIs that cover
the same cells computed once, layers packed for the CPU. Always: channels-last order from the image
to fc6, whose columns are reordered once, so that pooled RoIs are never permuted; a few RoIs at a
time, so that pooled features stay in the cache.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import groupby

import torch
from torch import Tensor, nn

from frcnn_cli.acceleration.packed import can_pack, pack
from frcnn_cli.acceleration.range_maxima import StackedMaxima, bin_maxima
from frcnn_cli.config import SpeedConfig
from frcnn_cli.model.fast_rcnn import FastRCNN, RegionOutput
from frcnn_cli.model.roi_pool import cell_corners
from frcnn_cli.runtime.device import compute_dtype, wide_dtype

OnStage = Callable[[str], None]
"""`on_stage(step)` is called when a stage ("trunk", "pooling", "head") has been done."""

POOLED_BYTES = {"cpu": 64 << 20, "cuda": 512 << 20}
"""Maximum size of the pooled RoIs that are processed at once."""
_FEWEST_BYTES = 8 << 20
"""Where a GPU has no memory for so many, less would not help."""
LARGEST = 8
"""Images that a GPU computes together."""
ROWS = 128
"""The head takes a multiple of this many RoIs: oneDNN would compile again for each new number."""


class Inference:
    """Runs inference. Modifies `model` in place; do not use it afterwards.

    Attributes:
        dtype: type that the trunk and the head compute in.
        device: device of the network.

    Args:
        model: on its device, float32.
        speed: which optimizations to use.
    """

    def __init__(self, model: FastRCNN, speed: SpeedConfig) -> None:
        self.device = model.class_score.weight.device
        self.dtype = compute_dtype(speed.precision, self.device)
        self._speed = speed
        self._model = model.eval()
        self._pooled_bytes = POOLED_BYTES[self.device.type]
        backbone = model.backbone
        if speed.precision == "auto" and self.dtype == torch.float16 and not _fits(backbone):
            self.dtype = wide_dtype(self.device)
        for layers in (backbone.trunk, backbone.head):
            layers.to(self.dtype).requires_grad_(False)
        self._flat = _take_channels_last(backbone.head, backbone.spec.channels)
        if speed.fused and can_pack(self.device, self.dtype):
            pack(backbone.trunk)
            pack(backbone.head)

    @torch.inference_mode()
    def __call__(
        self, images: Sequence[Tensor], rois: Sequence[Tensor], on_stage: OnStage = lambda _: None
    ) -> RegionOutput:
        """Returns what `FastRCNN.forward` returns.

        A GPU computes neighbouring images of one size together.

        Args:
            images: B of (1, 3, H, W) float32, from `batch.prepare`.
            rois: B of (R_i, 4), xyxy in pixels of their image.
            on_stage: called after each stage.
        """
        vectors = []
        for group in self._groups(images):
            pixels = images[group[0]] if len(group) == 1 else torch.cat([images[i] for i in group])
            features = self._model.backbone.trunk(
                pixels.to(self.dtype, memory_format=torch.channels_last)
            )
            on_stage("trunk")
            boxes = [rois[i] for i in group]
            if self._model.pool == "roi_pool":
                vectors.append(self._vectors(features, boxes, on_stage))
            else:
                maps = zip(features.split(1), boxes, strict=True)
                vectors += [self._vectors(one, [its], on_stage) for one, its in maps]
        # The last layers are small, and their rounding would show in scores and boxes.
        output = self._model.classify(torch.cat(vectors).float())
        output = self._model.denormalised(output)
        on_stage("head")
        return output

    def widen(self) -> bool:
        """Replaces float16 by a type with the range of float32; returns whether it did.

        A number that is too large for float16 makes the output infinite or NaN.
        """
        if self.dtype != torch.float16 or self.device.type != "cuda":
            return False
        self.dtype = wide_dtype(self.device)
        for layers in (self._model.backbone.trunk, self._model.backbone.head):
            layers.to(self.dtype)
        return True

    def shrink(self) -> bool:
        """Halves how many RoIs are processed at once; returns False where they are few already."""
        if self._pooled_bytes <= _FEWEST_BYTES:
            self._pooled_bytes = POOLED_BYTES[self.device.type]  # the next image may be smaller
            return False
        self._pooled_bytes //= 2
        return True

    def _groups(self, images: Sequence[Tensor]) -> list[list[int]]:
        """Returns the indices of the images that go through the trunk together."""
        if self.device.type != "cuda":
            return [[i] for i in range(len(images))]
        same = (list(group) for _, group in groupby(range(len(images)), lambda i: images[i].shape))
        return [each[i : i + LARGEST] for each in same for i in range(0, len(each), LARGEST)]

    def _vectors(self, features: Tensor, rois: Sequence[Tensor], on_stage: OnStage) -> Tensor:
        """Returns the head's vector (R, D) of each RoI of B maps (B, C, H, W), map by map."""
        spec = self._model.backbone.spec
        size = spec.channels * spec.pool_size**2 * features.element_size()
        step = max(1, self._pooled_bytes // size // ROWS) * ROWS
        pooled, count, which = self._pooling(features, rois)
        padded = -(-count // ROWS) * ROWS
        parts = []
        for first in range(0, max(padded, 1), step):
            part = pooled(first, min(first + step, padded))
            on_stage("pooling")
            parts.append(self._head(part))
            on_stage("head")
        vectors = torch.cat(parts)[:count]
        return vectors if which is None else vectors.index_select(0, which)

    def _pooling(
        self, features: Tensor, rois: Sequence[Tensor]
    ) -> tuple[Callable[[int, int], Tensor], int, Tensor | None]:
        """Returns a function, the number of distinct RoIs, and the index (R,) of each RoI's own.

        The function pools the RoIs from i up to j as (j - i, P, P, C). The last RoI is repeated up
        to a multiple of `ROWS`. The index is None where every RoI is pooled.
        """
        model, spec = self._model, self._model.backbone.spec
        boxes = torch.cat(list(rois))
        if model.pool == "roi_align":
            count, boxes = len(boxes), _padded(boxes)

            def align(first: int, last: int) -> Tensor:
                return model.pooled(features, boxes[first:last]).permute(0, 2, 3, 1).contiguous()

            return align, count, None
        corners = cell_corners(model.to_feature_coords(boxes), 1.0 / spec.stride)
        which = None
        if self.device.type == "cuda":
            # The number of distinct RoIs would synchronize the GPU, which costs more than it saves.
            images = [corners.new_full((len(own), 1), image) for image, own in enumerate(rois)]
            joined = _padded(torch.cat((corners, torch.cat(images)), dim=1))
            maxima = StackedMaxima(features, joined[:, 4], joined[:, :4], spec.pool_size)
            return maxima.pooled, len(corners), which
        if self._speed.distinct_rois:
            corners, which = torch.unique(corners, dim=0, return_inverse=True)
        count, corners = len(corners), _padded(corners)
        tables = bin_maxima(features, corners.new_zeros(len(corners)), corners, spec.pool_size)
        return tables.pooled, count, which

    def _head(self, pooled: Tensor) -> Tensor:
        """Returns (R, D) of (R, P, P, C)."""
        vectors: Tensor = self._model.backbone.head(
            pooled.flatten(1) if self._flat else pooled.permute(0, 3, 1, 2)
        )
        return vectors


def _padded(rois: Tensor) -> Tensor:
    """Returns RoIs (R, N), the last one repeated up to a multiple of `ROWS`."""
    return torch.cat((rois, rois[-1:].expand(-len(rois) % ROWS, -1)))


def _fits(layers: nn.Module) -> bool:
    """Returns whether all weights are finite in float16."""
    largest = torch.stack([each.abs().amax() for each in layers.parameters()]).amax()
    return bool(largest <= torch.finfo(torch.float16).max)


def _take_channels_last(head: nn.Sequential, channels: int) -> bool:
    """Makes a head that flattens (R, C, P, P) take (R, P · P · C); returns whether it does."""
    layers = list(head.modules())
    linear = next((layer for layer in layers if isinstance(layer, nn.Linear)), None)
    if not isinstance(head[0], nn.Flatten) or linear is None:
        return False
    outputs = linear.out_features
    columns = linear.weight.data.view(outputs, channels, -1).transpose(1, 2)
    linear.weight.data = columns.reshape(outputs, -1).contiguous()
    return True
