"""Random augmentation of an image together with its boxes and proposals.

All random numbers come from the generator that is passed. A crop or color jitter that is switched
off draws none, so that the remaining settings draw what they drew without it.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from frcnn_cli import boxes as box_ops
from frcnn_cli.config import AugmentationConfig
from frcnn_cli.data.images import Pixels
from frcnn_cli.proposals.grid import tiles

_LEAST_SIDE = 0.5
"""Of a crop, as a fraction of the image's."""
_LEAST_LEFT = 0.5
"""Fraction of a box's area inside the crop from which the box is kept."""
_TRIES = 10
_Window = tuple[int, int, int, int]
_GREY = np.array([0.299, 0.587, 0.114], np.float32)
"""Weights of red, green and blue in luma (ITU-R BT.601)."""


class TrainingExample(NamedTuple):
    """An image with its proposals and ground truth.

    Attributes:
        pixels: (H, W, 3) uint8, RGB.
        proposals: (N, 4) xyxy.
        boxes: (G, 4) xyxy, ground truth.
        labels: (G,) in 1..K.
    """

    pixels: Pixels
    proposals: Tensor
    boxes: Tensor
    labels: Tensor


def random_flip_crop(
    example: TrainingExample,
    config: AugmentationConfig,
    foreground_iou: float,
    generator: torch.Generator,
    *,
    flipped: bool = False,
) -> TrainingExample:
    """Returns the example flipped and cropped with the configured probabilities.

    Args:
        example: as it is in the data set.
        config: the probabilities.
        foreground_iou: IoU of a proposal with an object from which it is foreground.
        generator: of all random numbers.
        flipped: flip it in any case, without drawing a number.
    """
    if flipped or _happens(config.flip_prob, generator):
        example = _flip(example)
    if config.crop_prob and _happens(config.crop_prob, generator):
        example = _random_crop(example, foreground_iou, generator)
    return example


def random_tile(
    example: TrainingExample, side: int, foreground_iou: float, generator: torch.Generator
) -> TrainingExample:
    """Returns the example in one of the windows in which detection sees it, or in none: whole.

    All are as likely, but for those without a proposal or, if there is one in the image, an object.

    Args:
        example: as it is in the data set.
        side: of the windows, pixels; an image that is not larger, or 0, draws no number.
        foreground_iou: IoU of a proposal with an object from which it is foreground.
        generator: of the choice.
    """
    height, width = example.pixels.shape[:2]
    windows = tiles(width, height, side).tolist()
    if not windows:
        return example
    views = [*windows, (0, 0, width, height)]
    order = torch.randperm(len(views), generator=generator).tolist()
    return _first_useful(example, (views[i] for i in order), foreground_iou)


def color_jitter(pixels: Pixels, strength: float, generator: torch.Generator) -> Pixels:
    """Returns (H, W, 3) with colours scaled by factors drawn from 1 ± `strength`; 0 is off.

    Args:
        pixels: (H, W, 3) uint8.
        strength: 0 returns the image as it is.
        generator: of the factors.
    """
    if not strength:
        return pixels
    draws = torch.rand(3, generator=generator).tolist()
    return recolour(pixels, *(1 + strength * (2 * draw - 1) for draw in draws))


def recolour(pixels: Pixels, brightness: float, contrast: float, saturation: float) -> Pixels:
    """Returns the image (H, W, 3) with brightness, contrast and saturation scaled, in this order.

    Args:
        pixels: (H, W, 3) uint8.
        brightness: factor.
        contrast: factor of the distance from the mean luma.
        saturation: factor of the distance from each pixel's luma.
    """
    bright = pixels.astype(np.float32) * np.float32(brightness)
    grey = bright @ _GREY
    mean = grey.mean()
    # Contrast scales a pixel and its luma alike, so both steps need one pass over the image.
    greys = mean + np.float32(contrast) * (grey - mean)
    colour = np.float32(contrast * saturation) * (bright - grey[..., None])
    changed: Pixels = (greys[..., None] + colour).round().clip(0, 255).astype(np.uint8)
    return changed


def crop(example: TrainingExample, window: _Window, foreground_iou: float) -> TrainingExample:
    """Returns the part of an example inside a window.

    Boxes are clipped, and those that keep less than half of their area are removed. The rest of
    such an object is not background: a proposal that overlaps it by `foreground_iou` is removed
    too, unless it overlaps a kept object as much.

    Args:
        example: the whole.
        window: x1, y1, x2, y2 in whole pixels.
        foreground_iou: least IoU of a proposal with its object.
    """
    x1, y1, x2, y2 = window
    proposals, whole = _clipped(example.proposals, window)
    boxes, kept = _clipped(example.boxes, window)
    whole &= ~of_ignored(proposals, boxes, ~kept, foreground_iou)
    return TrainingExample(
        example.pixels[y1:y2, x1:x2], proposals[whole], boxes[kept], example.labels[kept]
    )


def of_ignored(proposals: Tensor, boxes: Tensor, ignored: Tensor, foreground_iou: float) -> Tensor:
    """Returns which proposals (N,) match only ignored boxes, and so must not train.

    They overlap an ignored box by `foreground_iou`, and none of the others as much.

    Args:
        proposals: (N, 4) xyxy.
        boxes: (G, 4) xyxy.
        ignored: (G,) bool.
        foreground_iou: IoU from which a proposal matches.
    """
    near = box_ops.iou(proposals, boxes) >= foreground_iou
    return near[:, ignored].any(dim=1) & ~near[:, ~ignored].any(dim=1)


def _happens(probability: float, generator: torch.Generator) -> bool:
    return bool(torch.rand((), generator=generator) < probability)


def _flip(example: TrainingExample) -> TrainingExample:
    width = example.pixels.shape[1]
    return example._replace(
        pixels=example.pixels[:, ::-1],
        proposals=box_ops.flip(example.proposals, width),
        boxes=box_ops.flip(example.boxes, width),
    )


def _random_crop(
    example: TrainingExample, foreground_iou: float, generator: torch.Generator
) -> TrainingExample:
    height, width = example.pixels.shape[:2]

    def windows() -> Iterable[_Window]:
        for _ in range(_TRIES):
            draws = torch.rand(4, generator=generator).tolist()
            x1, x2 = _interval(width, draws[0], draws[1])
            y1, y2 = _interval(height, draws[2], draws[3])
            yield x1, y1, x2, y2

    return _first_useful(example, windows(), foreground_iou)


def _first_useful(
    example: TrainingExample, windows: Iterable[_Window], foreground_iou: float
) -> TrainingExample:
    """Returns the first crop with a proposal and, if there was one, an object; else `example`."""
    for window in windows:
        cropped = crop(example, window, foreground_iou)
        if len(cropped.proposals) and (len(cropped.boxes) or not len(example.boxes)):
            return cropped
    return example


def _interval(side: int, size: float, place: float) -> tuple[int, int]:
    """Returns start and end of a crop from two random numbers in [0, 1)."""
    length = max(round(side * (_LEAST_SIDE + (1 - _LEAST_SIDE) * size)), 1)
    start = int(place * (side - length + 1))
    return start, start + length


def _clipped(boxes: Tensor, window: _Window) -> tuple[Tensor, Tensor]:
    """Returns boxes (N, 4) clipped to a window, and a mask (N,) of those that it keeps."""
    x1, y1, x2, y2 = window
    moved = boxes - torch.tensor([x1, y1, x1, y1], dtype=boxes.dtype)
    inside = box_ops.clip(moved, x2 - x1, y2 - y1)
    left = box_ops.area(inside)
    return inside, (left > 0) & (left >= _LEAST_LEFT * box_ops.area(boxes))
