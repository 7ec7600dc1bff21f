"""Non-maximum suppression by hand and against torchvision."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torchvision.ops import nms

from frcnn_cli.model.suppression import suppress
from frcnn_cli.records import as_boxes


def test_by_hand() -> None:
    """Two classes on the same place; a box that a suppressed one overlaps stays."""
    boxes = as_boxes(
        [[0, 0, 10, 10], [0, 0, 10, 8], [0, 0, 10, 4.5], [0, 0, 10, 10], [0, 0, 10, 10]]
    )
    scores = np.array([0.9, 0.8, 0.7, 0.6, 0.9], np.float32)
    labels = np.array([1, 1, 1, 2, 1])
    # IoU of the first with the second 0.8, with the third 0.45; second with third 0.5625.
    assert suppress(boxes, scores, labels, 0.5, 0).tolist() == [0, 2, 3]
    assert suppress(boxes, scores, labels, 0.5, 2).tolist() == [0, 2]
    assert suppress(boxes, scores, labels, 0.8, 0).tolist() == [0, 1, 2, 3]  # 0.8 is not more
    assert suppress(boxes[:0], scores[:0], labels[:0], 0.5, 0).tolist() == []


@pytest.mark.parametrize("iou", [0.0, 0.3, 0.7, 1.0])
@pytest.mark.parametrize("seed", [0, 1])
def test_equals_torchvision_class_by_class(iou: float, seed: int) -> None:
    random = np.random.default_rng(seed)
    corners = random.uniform(0, 100, (600, 2))
    boxes = np.concatenate((corners, corners + random.uniform(1, 60, (600, 2))), 1)
    boxes = boxes.astype(np.float32)
    scores = random.permutation(600).astype(np.float32) / 600
    labels = random.integers(1, 4, 600)
    expected = []
    for label in (1, 2, 3):
        (members,) = np.nonzero(labels == label)
        kept = nms(torch.from_numpy(boxes[members]), torch.from_numpy(scores[members]), iou)
        expected.extend(members[kept.numpy()])
    expected.sort(key=lambda place: -scores[place])
    assert suppress(boxes, scores, labels, iou, 0).tolist() == expected
    assert suppress(boxes, scores, labels, iou, 20).tolist() == expected[:20]
