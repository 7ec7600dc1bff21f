"""Random changes of an image for training; its boxes and its proposals move along.

All chance comes from the generator that is passed. A crop or a recolouring that is switched off
draws nothing, so that the rest of a recipe draws what it drew without them.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from frcnn_cli import boxes as box_ops
from frcnn_cli.config import AugmentationConfig
from frcnn_cli.data.images import Pixels

_LEAST_SIDE = 0.5
"""Of a crop, as a part of the image's."""
_LEAST_LEFT = 0.5
"""Of a box's area, for it to be one of the crop's."""
_TRIES = 10
_GREY = np.array([0.299, 0.587, 0.114], np.float32)
"""Red, green and blue in the brightness of a colour (ITU-R BT.601)."""


class TrainingExample(NamedTuple):
    """An image to train on.

    Attributes:
        pixels: (H, W, 3) uint8, RGB.
        proposals: (N, 4) xyxy.
        boxes: of the objects, (G, 4) xyxy.
        labels: (G,) in 1..K.
    """

    pixels: Pixels
    proposals: Tensor
    boxes: Tensor
    labels: Tensor


def random_flip_crop(
    scene: TrainingExample,
    config: AugmentationConfig,
    foreground_iou: float,
    generator: torch.Generator,
    *,
    flipped: bool = False,
) -> TrainingExample:
    """Returns the scene flipped and cropped as the recipe has it.

    Args:
        scene: as it is in the data set.
        config: the probabilities.
        foreground_iou: IoU of a proposal with an object from which it is foreground.
        generator: the only source of chance.
        flipped: flip it, and draw nothing for that.
    """
    if flipped or _happens(config.flip_prob, generator):
        scene = _flip(scene)
    if config.crop_prob and _happens(config.crop_prob, generator):
        scene = _random_crop(scene, foreground_iou, generator)
    return scene


def color_jitter(pixels: Pixels, strength: float, generator: torch.Generator) -> Pixels:
    """Returns `recolour` with factors drawn from 1 ± `strength`; at 0 nothing is done."""
    if not strength:
        return pixels
    draws = torch.rand(3, generator=generator).tolist()
    return recolour(pixels, *(1 + strength * (2 * draw - 1) for draw in draws))


def recolour(pixels: Pixels, brightness: float, contrast: float, saturation: float) -> Pixels:
    """Returns the image (H, W, 3) with these three multiplied, in their order.

    Contrast is about the mean grey, saturation about each pixel's grey.
    """
    bright = pixels.astype(np.float32) * np.float32(brightness)
    grey = bright @ _GREY
    mean = grey.mean()
    # Contrast moves a pixel and its grey alike, so that the two steps are one.
    greys = mean + np.float32(contrast) * (grey - mean)
    colour = np.float32(contrast * saturation) * (bright - grey[..., None])
    changed: Pixels = (greys[..., None] + colour).round().clip(0, 255).astype(np.uint8)
    return changed


def crop(
    scene: TrainingExample, window: tuple[int, int, int, int], foreground_iou: float
) -> TrainingExample:
    """Returns what a window of the scene shows.

    Boxes are clipped, and those that keep less than half of their area drop out. What is left of
    such an object is no background: a proposal that overlaps it by `foreground_iou` drops out too,
    unless it overlaps an object as much.

    Args:
        scene: the whole.
        window: x1, y1, x2, y2 in whole pixels.
        foreground_iou: least IoU of a proposal with its object.
    """
    x1, y1, x2, y2 = window
    proposals, whole = _clipped(scene.proposals, window)
    boxes, kept = _clipped(scene.boxes, window)
    whole &= ~of_ignored(proposals, boxes, ~kept, foreground_iou)
    return TrainingExample(
        scene.pixels[y1:y2, x1:x2], proposals[whole], boxes[kept], scene.labels[kept]
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


def _flip(scene: TrainingExample) -> TrainingExample:
    width = scene.pixels.shape[1]
    return scene._replace(
        pixels=scene.pixels[:, ::-1],
        proposals=box_ops.flip(scene.proposals, width),
        boxes=box_ops.flip(scene.boxes, width),
    )


def _random_crop(
    scene: TrainingExample, foreground_iou: float, generator: torch.Generator
) -> TrainingExample:
    """Returns a crop with a proposal and, if there was one, an object; else the scene."""
    height, width = scene.pixels.shape[:2]
    for _ in range(_TRIES):
        draws = torch.rand(4, generator=generator).tolist()
        x1, x2 = _interval(width, draws[0], draws[1])
        y1, y2 = _interval(height, draws[2], draws[3])
        cropped = crop(scene, (x1, y1, x2, y2), foreground_iou)
        if len(cropped.proposals) and (len(cropped.boxes) or not len(scene.boxes)):
            return cropped
    return scene


def _interval(side: int, size: float, place: float) -> tuple[int, int]:
    """Returns where a crop begins and ends, from two draws in [0, 1)."""
    length = max(round(side * (_LEAST_SIDE + (1 - _LEAST_SIDE) * size)), 1)
    start = int(place * (side - length + 1))
    return start, start + length


def _clipped(boxes: Tensor, window: tuple[int, int, int, int]) -> tuple[Tensor, Tensor]:
    """Returns boxes (N, 4) as a window has them, and which of them (N,) it shows enough of."""
    x1, y1, x2, y2 = window
    moved = boxes - torch.tensor([x1, y1, x1, y1], dtype=boxes.dtype)
    inside = box_ops.clip(moved, x2 - x1, y2 - y1)
    left = box_ops.area(inside)
    return inside, (left > 0) & (left >= _LEAST_LEFT * box_ops.area(boxes))
