"""Box arithmetic for NumPy arrays and torch tensors; a function returns the kind that it takes.

Boxes are xyxy in continuous pixel edges: a width is `x2 - x1`, an area needs no `+ 1`. Torch is
not imported here, so that code which needs only NumPy starts fast.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np

if TYPE_CHECKING:
    import numpy.typing as npt
    import torch

    Array = TypeVar("Array", npt.NDArray[np.float32], npt.NDArray[np.float64], torch.Tensor)
else:
    Array = TypeVar("Array")

MAX_LOG_SCALE = float(np.log(1000.0 / 16.0))
"""Decoding enlarges a side at most 62.5-fold, so that `exp` of an untrained output stays finite."""


def _namespace(array: object) -> Any:
    """Returns the module (numpy or torch) whose functions act on `array`."""
    return np if isinstance(array, np.ndarray) else sys.modules["torch"]


def area(boxes: Array) -> Array:
    """Returns the areas (N,) of `boxes` (N, 4) in square pixels."""
    return (boxes[..., 2] - boxes[..., 0]) * (boxes[..., 3] - boxes[..., 1])


def iou(a: Array, b: Array) -> Array:
    """Returns the IoU (N, M) of `a` (N, 4) and `b` (M, 4); 0 where both are empty."""
    shared = intersection(a, b)
    union = area(a)[:, None] + area(b)[None, :] - shared
    ratio: Array = shared / union.clip(min=1e-9)
    return ratio


def intersection(a: Array, b: Array) -> Array:
    """Returns the areas (N, M) that `a` (N, 4) and `b` (M, 4) share."""
    xp = _namespace(a)
    top_left = xp.maximum(a[:, None, :2], b[None, :, :2])
    bottom_right = xp.minimum(a[:, None, 2:], b[None, :, 2:])
    sides = (bottom_right - top_left).clip(min=0)
    shared: Array = sides[..., 0] * sides[..., 1]
    return shared


def clip(boxes: Array, width: float, height: float) -> Array:
    """Returns `boxes` (..., 4) clipped to an image of `width` × `height` pixels.

    Args:
        boxes: (..., 4) xyxy.
        width: of the image, pixels.
        height: of the image, pixels.
    """
    x1, y1, x2, y2 = (boxes[..., i] for i in range(4))
    return _stack(x1.clip(0, width), y1.clip(0, height), x2.clip(0, width), y2.clip(0, height))


def flip(boxes: Array, width: float) -> Array:
    """Returns `boxes` (..., 4) mirrored left to right in an image `width` pixels wide."""
    return _stack(width - boxes[..., 2], boxes[..., 1], width - boxes[..., 0], boxes[..., 3])


def encode(rois: Array, gt_boxes: Array) -> Array:
    """Returns the deltas (N, 4) that `decode` applies to `rois` (N, 4) to reach `gt_boxes` (N, 4).

    A delta is the shift of the center in units of the RoI's size and the log of the ratio of sizes
    (t_x, t_y, t_w, t_h of R-CNN, used in Fast R-CNN §2.3). All sides must be positive.
    """
    log = _namespace(rois).log
    x, y, width, height = _center_and_size(rois)
    gt_x, gt_y, gt_width, gt_height = _center_and_size(gt_boxes)
    scale_x: Array = log(gt_width / width)
    scale_y: Array = log(gt_height / height)
    return _stack((gt_x - x) / width, (gt_y - y) / height, scale_x, scale_y)


def decode(rois: Array, deltas: Array) -> Array:
    """Returns `rois` (..., 4) moved by `deltas` (..., 4): the inverse of `encode`."""
    exp = _namespace(rois).exp
    x, y, width, height = _center_and_size(rois)
    x, y = x + deltas[..., 0] * width, y + deltas[..., 1] * height
    half_width: Array = 0.5 * width * exp(deltas[..., 2].clip(max=MAX_LOG_SCALE))
    half_height: Array = 0.5 * height * exp(deltas[..., 3].clip(max=MAX_LOG_SCALE))
    return _stack(x - half_width, y - half_height, x + half_width, y + half_height)


def _center_and_size(boxes: Array) -> tuple[Array, Array, Array, Array]:
    width, height = boxes[..., 2] - boxes[..., 0], boxes[..., 3] - boxes[..., 1]
    return boxes[..., 0] + 0.5 * width, boxes[..., 1] + 0.5 * height, width, height


def _stack(*edges: Array) -> Array:
    stacked: Array = _namespace(edges[0]).stack(edges, axis=-1)
    return stacked
