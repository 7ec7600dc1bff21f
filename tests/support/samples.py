"""Samples and detections written down in a line."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from frcnn_cli.detection.formats.context import SplitIndex
from frcnn_cli.records import DetectedImage, Detections, Sample, as_boxes


def sample(image_id, *objects):
    """An image; an object is (label, box) or (label, box, difficult)."""
    rows = [(*each, False)[:3] for each in objects]
    return Sample(
        image_id,
        Path(f"{image_id}.jpg"),
        as_boxes([box for _, box, _ in rows]),
        np.array([label for label, _, _ in rows], np.int64),
        np.array([difficult for _, _, difficult in rows], np.bool_),
    )


def detected(*found):
    """The detections of an image; each is (label, score, box)."""
    return Detections(
        as_boxes([box for _, _, box in found]),
        np.array([score for _, score, _ in found], np.float32),
        np.array([label for label, _, _ in found], np.int64),
    )


def known(samples, classes, **numbers):
    """The images and classes that a file of detections may name; each image has 500×375 pixels."""
    return SplitIndex(samples, classes, lambda _: (500, 375), **numbers)


def image(file, *found):
    """An image of 500×375 pixels as a writer takes it; see `detected`."""
    return DetectedImage(file, 500, 375, 9, detected(*found))
