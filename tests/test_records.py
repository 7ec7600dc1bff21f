"""Records that parts exchange are validated when they are made."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import numpy as np
import pytest

from frcnn_cli.errors import DataError
from frcnn_cli.records import DetectedImage, Detections, Sample, as_boxes

BOX = as_boxes([1, 2, 3, 4])


def test_boxes_of_any_kind_become_rows_of_float32():
    for given, shape in (([], (0, 4)), ([1, 2, 3, 4], (1, 4)), (np.ones((3, 4), int), (3, 4))):
        assert as_boxes(given).shape == shape
        assert as_boxes(given).dtype == np.float32


@pytest.mark.parametrize(
    ("boxes", "labels", "difficult"),
    [
        (BOX, np.zeros(2, np.int64), np.zeros(1, np.bool_)),
        (BOX, np.zeros(1, np.int64), np.zeros((1, 1), np.bool_)),
        (BOX[0], np.zeros(4, np.int64), np.zeros(4, np.bool_)),
    ],
)
def test_a_sample_whose_parts_differ_is_refused(boxes, labels, difficult):
    with pytest.raises(DataError, match=r"^a\.jpg: boxes .* do not belong together"):
        Sample("a", Path("a.jpg"), boxes, labels, difficult)


def test_detections_whose_parts_differ_are_refused():
    with pytest.raises(DataError, match="do not belong together"):
        Detections(BOX, np.zeros(2, np.float32), np.ones(1, np.int64))


@pytest.mark.parametrize("wrong", [np.nan, np.inf, -np.inf])
def test_detections_are_finite(wrong):
    with pytest.raises(DataError, match="not a finite number"):
        Detections(BOX, np.array([wrong], np.float32), np.ones(1, np.int64))
    with pytest.raises(DataError, match="not a finite number"):
        Detections(as_boxes([0, 0, 1, wrong]), np.ones(1, np.float32), np.ones(1, np.int64))


def test_no_detections():
    assert len(Detections.empty()) == 0
    assert Detections.empty().boxes.shape == (0, 4)


def test_records_cannot_be_changed():
    with pytest.raises(dataclasses.FrozenInstanceError):
        Detections.empty().scores = np.ones(0)


def test_the_entry_of_an_image():
    found = Detections(
        as_boxes([[48.1, 240, 195.3, 371.2]]), np.array([0.98], np.float32), np.array([2])
    )
    image = DetectedImage("photo.jpg", 500, 375, 1684, found, {"network": 0.41239})
    assert json.loads(json.dumps(image.to_json(("cat", "dog")), allow_nan=False)) == {
        "file": "photo.jpg",
        "width": 500,
        "height": 375,
        "proposals": 1684,
        "seconds": {"network": 0.4124},
        "detections": [
            {"label": "dog", "category_id": 2, "score": 0.98, "box": [48.1, 240.0, 195.3, 371.2]}
        ],
    }


def test_the_entry_of_an_image_without_objects():
    entry = DetectedImage("photo.jpg", 500, 375, 0, Detections.empty()).to_json(("cat",))
    assert entry["detections"] == []
    assert entry["seconds"] == {}
