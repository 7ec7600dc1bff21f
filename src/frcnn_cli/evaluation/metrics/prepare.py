"""Ground truth and detections as they stand before matching, by the rules."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from frcnn_cli.evaluation.metrics.matching import falling_order
from frcnn_cli.evaluation.metrics.rules import Rules
from frcnn_cli.evaluation.metrics.tables import DetectionTable, ObjectTable
from frcnn_cli.records import FloatArray, IntArray


def prepare(
    objects: ObjectTable, detections: DetectionTable, rules: Rules
) -> tuple[ObjectTable, DetectionTable]:
    """Returns the tables with boxes, scores, rows and difficult objects as `rules` have them."""
    if not rules.ignore_difficult:
        objects = replace(objects, difficult=np.zeros_like(objects.difficult))
    if not rules.plus_one:
        objects = replace(objects, boxes=_without_plus_one(objects.boxes))
        detections = replace(detections, boxes=_without_plus_one(detections.boxes))
    if rules.score_decimals is not None:
        rounded = np.round(detections.scores.astype(np.float64), rules.score_decimals)
        detections = replace(detections, scores=rounded.astype(np.float32))
    if rules.max_per_image:
        detections = _rows(detections, _best_of_each_image(detections, rules.max_per_image))
    return objects, detections


def _without_plus_one(boxes: FloatArray) -> FloatArray:
    """Returns boxes whose `x2 - x1` is the `xmax - xmin` of their inclusive pixels."""
    shrunk = boxes.copy()
    shrunk[:, :2] = np.minimum(boxes[:, :2] + 1, boxes[:, 2:])
    return shrunk


def _best_of_each_image(detections: DetectionTable, most: int) -> IntArray:
    """Returns the rows, rising, of the `most` highest scores of each photograph."""
    order = falling_order(detections.scores)
    order = order[np.argsort(detections.image[order], kind="stable")]
    image = detections.image[order]
    rank = np.arange(len(order)) - np.searchsorted(image, image)
    return np.sort(order[rank < most])


def _rows(detections: DetectionTable, rows: IntArray) -> DetectionTable:
    return DetectionTable(
        image=detections.image[rows],
        boxes=detections.boxes[rows],
        scores=detections.scores[rows],
        labels=detections.labels[rows],
    )
