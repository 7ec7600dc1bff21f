"""Rules of matching: the conventions in which evaluators differ, as switches."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

import numpy as np

from frcnn_cli.evaluation.metrics.tables import DetectionTable, SplitTables, rows_by_image
from frcnn_cli.records import FloatArray, IntArray


@dataclass(frozen=True, slots=True)
class Rules:
    """Rules of matching detections with objects; the defaults are the VOC devkit's."""

    iou: float = 0.5
    """IoU threshold of a match, in (0, 1]."""
    above: bool = False
    """A match needs more than `iou`; the devkit's rule is >=."""
    assignment: Literal["nearest", "free"] = "nearest"
    """A detection takes the object it overlaps most, and is wrong if that one is taken (VOC); or
    the one it overlaps most of those that are not taken (COCO)."""
    ties: Literal["first", "last"] = "first"
    """Of equal scores the first in the file comes first, or the last."""
    plus_one: bool = True
    """The width of inclusive pixels is xmax - xmin + 1; without, the + 1 is forgotten."""
    ignore_difficult: bool = True
    """Difficult objects count neither way; otherwise as any other."""
    score_decimals: int | None = None
    """Decimals that scores are rounded to; None does not round."""
    max_per_image: int = 0
    """Detections of an image that count, over all classes, best first; 0 takes all."""


def prepare(tables: SplitTables, rules: Rules) -> SplitTables:
    """Returns tables with boxes, scores, rows and difficult objects as `rules` have them."""
    objects, detections = tables.objects, tables.detections
    if not rules.ignore_difficult:
        objects = replace(objects, difficult=np.zeros_like(objects.difficult))
    if not rules.plus_one:
        objects = replace(objects, boxes=_without_plus_one(objects.boxes))
        detections = replace(detections, boxes=_without_plus_one(detections.boxes))
    if rules.score_decimals is not None:
        rounded = np.round(detections.scores.astype(np.float64), rules.score_decimals)
        detections = replace(detections, scores=rounded)
    if rules.max_per_image:
        detections = detections.rows(_best_of_each_image(detections, rules.max_per_image))
    return SplitTables(objects, detections, tables.classes)


def _without_plus_one(boxes: FloatArray) -> FloatArray:
    """Returns boxes whose `x2 - x1` is the `xmax - xmin` of their inclusive pixels."""
    shrunk = boxes.copy()
    shrunk[:, :2] = np.minimum(boxes[:, :2] + 1, boxes[:, 2:])
    return shrunk


def _best_of_each_image(detections: DetectionTable, limit: int) -> IntArray:
    """Returns the rows, increasing, of the `limit` highest scores of each image."""
    order = rows_by_image(detections)
    image = detections.image[order]
    rank = np.arange(len(order)) - np.searchsorted(image, image)
    return np.sort(order[rank < limit])
