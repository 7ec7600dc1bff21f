"""Greedy non-maximum suppression (NMS) per class."""

from __future__ import annotations

import numpy as np

from frcnn_cli import boxes as box_ops
from frcnn_cli.records import FloatArray, IntArray, ScoreArray


# Not torchvision's `batched_nms`: its import takes a second and a half, it goes through all classes
# to the end, and it keeps other boxes where an IoU equals the threshold, since it shifts the boxes
# of each class and compares a rounded quotient.
def suppress(
    boxes: FloatArray, scores: ScoreArray, labels: IntArray, iou: float, limit: int
) -> IntArray:
    """Returns the indices (M,) of the boxes that are kept, sorted by score.

    A box is dropped if a better box of its class that is kept overlaps it by more than `iou`. Of
    equal scores the earlier one is better.

    Args:
        boxes: (N, 4) xyxy.
        scores: (N,).
        labels: (N,).
        iou: IoU threshold in 0..1.
        limit: maximum of M; 0 keeps all.
    """
    order = np.argsort(-scores, kind="stable")
    boxes, labels = boxes[order], labels[order]
    areas = box_ops.area(boxes)
    # Per class, the boxes that may still be kept, best first.
    left = {label: np.flatnonzero(labels == label) for label in np.unique(labels).tolist()}
    kept: list[int] = []
    for best, label in enumerate(labels.tolist()):
        if not len(left[label]) or left[label][0] != best:
            continue  # dropped
        kept.append(best)
        if len(kept) == limit:
            break
        rest = left[label][1:]
        sides = np.minimum(boxes[best, 2:], boxes[rest, 2:])
        sides -= np.maximum(boxes[best, :2], boxes[rest, :2])
        sides = sides.clip(min=0)
        shared = sides[:, 0] * sides[:, 1]
        union = areas[best] + areas[rest] - shared
        left[label] = rest[shared <= np.float32(iou) * union]
    result: IntArray = order[np.array(kept, np.int64)]
    return result
