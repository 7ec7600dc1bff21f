"""RoI max pooling for training, as one operation of each device.

On a CPU it computes what `model.roi_pool` does. On a GPU that loop would wait for the RoIs' corners
and launch several kernels per RoI: there a Triton kernel pools all RoIs, with the same bits, and
sums gradients in a fixed order. Where Triton cannot compile, range-maximum tables do it in torch.
"""

from __future__ import annotations

import logging
from functools import cache
from types import ModuleType
from typing import Any

import torch
from torch import Tensor

from frcnn_cli.acceleration.range_maxima import StackedMaxima
from frcnn_cli.model.fast_rcnn import FastRCNN
from frcnn_cli.model.roi_pool import bin_maxima_by_crops, cell_corners, sum_into_cells

_LOGGER = logging.getLogger(__name__)


def pooled(model: FastRCNN, features: Tensor, rois: Tensor) -> Tensor:
    """Returns what `model.pooled` does, (R, C, P, P) of a map (1, C, H, W) and RoIs (R, 4).

    Args:
        model: its pooling and its scale.
        features: (1, C, H, W).
        rois: (R, 4) xyxy in pixels of the image.
    """
    if model.pool != "roi_pool":
        return model.pooled(features, rois)
    spec = model.backbone.spec
    corners = cell_corners(model.to_feature_coords(rois), 1.0 / spec.stride)
    images = corners.new_zeros(len(corners))
    values: Tensor = torch.ops.frcnn.roi_pool(features, images, corners, spec.pool_size)[0]
    return values


@torch.library.custom_op("frcnn::roi_pool", mutates_args=(), device_types="cpu")
def _roi_pool(
    features: Tensor, images: Tensor, corners: Tensor, size: int
) -> tuple[Tensor, Tensor]:
    return bin_maxima_by_crops(features, images, corners, size)


@_roi_pool.register_kernel("cuda")
def _(features: Tensor, images: Tensor, corners: Tensor, size: int) -> tuple[Tensor, Tensor]:
    kernels = _triton_kernels()
    if kernels is None:
        return bin_maxima_by_tables(features, images, corners, size)
    maxima: tuple[Tensor, Tensor] = kernels.bin_maxima(features, images, corners, size)
    return maxima


@_roi_pool.register_fake
def _(features: Tensor, images: Tensor, corners: Tensor, size: int) -> tuple[Tensor, Tensor]:
    shape = (len(corners), size, size, features.shape[1])
    values, winners = features.new_empty(shape), corners.new_empty(shape)
    return values.permute(0, 3, 1, 2), winners.permute(0, 3, 1, 2)


@torch.library.custom_op("frcnn::roi_pool_backward", mutates_args=(), device_types="cpu")
def _roi_pool_backward(
    grad: Tensor, winners: Tensor, images: Tensor, corners: Tensor, shape: list[int]
) -> Tensor:
    return sum_into_cells(grad, winners, shape)


@_roi_pool_backward.register_kernel("cuda")
def _(grad: Tensor, winners: Tensor, images: Tensor, corners: Tensor, shape: list[int]) -> Tensor:
    kernels = _triton_kernels()
    if kernels is None:
        return sum_into_cells(grad, winners, shape)
    sums: Tensor = kernels.sum_into_cells(grad, winners, images, corners, shape)
    return sums


@_roi_pool_backward.register_fake
def _(grad: Tensor, winners: Tensor, images: Tensor, corners: Tensor, shape: list[int]) -> Tensor:
    return grad.new_empty(shape).contiguous(memory_format=torch.channels_last)


def _keep(ctx: Any, inputs: tuple[Any, ...], output: tuple[Tensor, Tensor]) -> None:
    features, images, corners, _ = inputs
    ctx.mark_non_differentiable(output[1])
    ctx.save_for_backward(output[1], images, corners)
    ctx.shape = list(features.shape)


def _differentiate(ctx: Any, grad: Tensor, _: Any) -> tuple[Tensor, None, None, None]:
    return torch.ops.frcnn.roi_pool_backward(grad, *ctx.saved_tensors, ctx.shape), None, None, None


_roi_pool.register_autograd(_differentiate, setup_context=_keep)


def bin_maxima_by_tables(
    features: Tensor, images: Tensor, corners: Tensor, size: int
) -> tuple[Tensor, Tensor]:
    """Returns what `bin_maxima_by_crops` does, without a loop over RoIs.

    A number's bits, ordered as the numbers are, and its cell are one integer of 64 bits, whose
    maximum is the first of the largest numbers.

    Args:
        features: (B, C, H, W), of a float type of at most 32 bits.
        images: (R,) int64, index of each RoI's image.
        corners: (R, 4) int64, from `cell_corners`.
        size: P, bins per side.
    """
    batch, channels, height, width = features.shape
    cells = features.permute(0, 2, 3, 1).contiguous()
    wide = cells.element_size() == 4
    bits = (cells + 0.0).view(torch.int32 if wide else torch.int16)  # -0.0 becomes 0.0
    sign, magnitude = (31, 0x7FFFFFFF) if wide else (15, 0x7FFF)
    ordered = bits ^ ((bits >> sign) & magnitude)
    nowhere = batch * height * width
    left = torch.arange(nowhere, 0, -1, device=cells.device).view(batch, height, width, 1)
    keys = ((ordered.long() << 32) | left).permute(0, 3, 1, 2)
    maxima = StackedMaxima(keys, images, corners, size).pooled(0, len(corners))  # 0 if empty
    winners = nowhere - (maxima & 0xFFFFFFFF)
    rows = torch.cat((cells.view(-1, channels), cells.new_zeros(1, channels)))
    values = rows.gather(0, winners.view(-1, channels)).view_as(winners)
    return values.permute(0, 3, 1, 2), winners.permute(0, 3, 1, 2)


@cache
def _triton_kernels() -> ModuleType | None:
    """Returns the Triton kernels; None if they do not compile, as without a C compiler."""
    try:
        from frcnn_cli.acceleration import roi_pool_triton  # noqa: PLC0415  not on every platform

        corners = torch.zeros(1, 4, dtype=torch.long, device="cuda")
        roi_pool_triton.bin_maxima(corners.float().view(1, 4, 1, 1), corners[0, :1], corners, 1)
    except Exception as error:
        reason = " ".join(str(error).split())[:200]
        _LOGGER.warning("RoI pooling trains without Triton, more slowly (%s)", reason)
        return None
    return roi_pool_triton
