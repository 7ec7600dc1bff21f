"""Doubt by hand, and the order of the images."""

from __future__ import annotations

import numpy as np
import pytest

from frcnn_cli.detection.doubt import doubt, most_doubtful
from frcnn_cli.records import DetectedImage, Detections


def image(file: str, *scores: float) -> DetectedImage:
    boxes = np.tile(np.array([0, 0, 9, 9], np.float32), (len(scores), 1))
    labels = np.arange(1, len(scores) + 1)
    found = Detections(boxes, np.array(scores, np.float32), labels)
    return DetectedImage(file, 40, 30, 10, found)


def test_doubt_by_hand() -> None:
    """Kept at 0.9, one is wrong with 0.1; dropped at 0.2, it was right with 0.2."""
    assert doubt(np.array([0.9, 0.5, 0.2])) == pytest.approx(0.1 + 0.5 + 0.2)
    assert doubt(np.array([1.0, 0.0])) == 0
    assert doubt(np.zeros(0)) == 0


def test_the_most_doubtful_come_first_and_equal_ones_in_their_order() -> None:
    images = [image("sure", 1.0), image("b", 0.5), image("none"), image("a", 0.9, 0.5, 0.1)]
    images += [image("c", 0.5)]
    found = most_doubtful(images, 3)
    assert [each.file for each in found] == ["a", "b", "c"]
    assert (found[0].detections, found[0].label, found[0].score) == (3, 2, 0.5)
    assert found[0].doubt == pytest.approx(0.7)
    last = most_doubtful(images, 9)[-1]
    assert (last.file, last.doubt, last.label) == ("none", 0, 0)
