"""Greedy non-maximum suppression for each class, the best of all classes first.

Torchvision's takes a second and a half to import, and goes through every class to the end; here it
ends with the last detection that is wanted.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from frcnn_cli.records import BoolArray, FloatArray, IntArray


def suppress(
    boxes: FloatArray, scores: FloatArray, labels: IntArray, iou: float, most: int
) -> IntArray:
    """Returns the places (M,) of the boxes that stay, in falling score.

    A box goes where a better one of its class that stays overlaps it by more than `iou`. Of equal
    scores the earlier one is better.

    Args:
        boxes: (N, 4) xyxy.
        scores: (N,).
        labels: (N,).
        iou: in 0..1.
        most: M at most; 0 is all.
    """
    order = np.argsort(-scores, kind="stable")
    classes = {label: _Class(boxes[order], labels[order] == label) for label in np.unique(labels)}
    kept: list[int] = []
    for place, label in enumerate(labels[order].tolist()):
        if classes[label].take(place, iou):
            kept.append(place)
            if len(kept) == most:
                break
    result: IntArray = order[np.array(kept, np.int64)]
    return result


class _Class:
    """The boxes of one class, best first, and which of them are left."""

    def __init__(self, boxes: FloatArray, members: BoolArray) -> None:
        self._boxes = np.ascontiguousarray(boxes[members].T)  # (4, n)
        x1, y1, x2, y2 = self._boxes
        self._areas = (x2 - x1) * (y2 - y1)
        self._left: BoolArray = np.ones(len(self._areas), np.bool_)
        self._number = np.cumsum(members) - 1

    def take(self, place: int, iou: float) -> bool:
        """Returns whether the box at `place` of all is left, and removes what it overlaps."""
        number = self._number[place]
        if not self._left[number]:
            return False
        x1, y1, x2, y2 = self._boxes[:, number, None]
        behind = self._boxes[:, number + 1 :]
        zero = np.float32(0)
        width = np.maximum(np.minimum(x2, behind[2]) - np.maximum(x1, behind[0]), zero)
        height = np.maximum(np.minimum(y2, behind[3]) - np.maximum(y1, behind[1]), zero)
        shared: npt.NDArray[np.float32] = width * height
        union = self._areas[number] + self._areas[number + 1 :] - shared
        self._left[number + 1 :] &= shared <= np.float32(iou) * union
        return True
