"""The highest mAP that proposals allow: that of a perfect classifier that moves no box.

It gives every object the best of the proposals that the scorer would match with it, and says
nothing else. Box regression can do better, since it moves boxes that overlap too little;
non-maximum suppression can do worse, where objects of one class overlap.
"""

from __future__ import annotations

import numpy as np

from frcnn_cli import boxes as box_ops
from frcnn_cli.records import Detections, FloatArray, IntArray, Sample


def perfect_detections(sample: Sample, proposals: FloatArray, iou: float) -> Detections:
    """Returns what a perfect classifier makes of `proposals` (N, 4): one box an object at most.

    The scorer matches a box with the object of its class that it overlaps most. So one box never
    finds two objects, and an object may go without although some box overlaps it enough.

    Args:
        sample: the photograph's ground truth.
        proposals: (N, 4) float32.
        iou: least IoU of a match, in (0, 1].
    """
    found = [
        (label, row)
        for label in np.unique(sample.labels)
        for row in _rows_of_class(sample, proposals, label, iou)
    ]
    labels, rows = np.array(found, np.int64).reshape(-1, 2).T
    return Detections(proposals[rows], np.ones(len(rows), np.float32), labels)


def _rows_of_class(sample: Sample, proposals: FloatArray, label: np.int64, iou: float) -> IntArray:
    """Returns the proposal for each object of a class that can be found."""
    mine = sample.labels == label
    overlaps = box_ops.iou(proposals.astype(np.float64), sample.boxes[mine].astype(np.float64))
    if not len(proposals):
        return np.zeros(0, np.int64)
    nearest = overlaps.argmax(axis=1)
    matched = np.where(nearest[:, None] == np.arange(overlaps.shape[1]), overlaps, 0.0)
    found = (matched.max(axis=0) >= iou) & ~sample.difficult[mine]
    rows: IntArray = matched.argmax(axis=0)[found]
    return rows
