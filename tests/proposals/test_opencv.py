"""The presets are OpenCV's own, and the paper's."""

from __future__ import annotations

import sys
import types

import cv2
import numpy as np
import pytest

from frcnn_cli.errors import ProposalError
from frcnn_cli.proposals import opencv
from support.images import blobs


def as_set(boxes):
    return {tuple(int(edge) for edge in box) for box in boxes}


def opencv_set(image, switch: str):
    engine = cv2.ximgproc.segmentation.createSelectiveSearchSegmentation()
    engine.setBaseImage(cv2.cvtColor(image, cv2.COLOR_RGB2BGR))
    getattr(engine, switch)()
    return {(int(x), int(y), int(x + w), int(y + h)) for x, y, w, h in engine.process()}


@pytest.mark.parametrize(
    ("preset", "switch"),
    [
        ("single", "switchToSingleStrategy"),
        ("fast", "switchToSelectiveSearchFast"),
        ("quality", "switchToSelectiveSearchQuality"),
    ],
)
def test_a_preset_gives_the_set_that_opencv_gives(preset, switch):
    image = blobs()
    assert as_set(opencv.search(image, preset)) == opencv_set(image, switch)


def test_fast_equals_its_own_parts():
    """Builds OpenCV's fast preset as `paper` is built, so that the parts are known to be right."""
    segmentation = cv2.ximgproc.segmentation
    image = blobs()
    bgr = cv2.cvtColor(image, cv2.COLOR_RGB2BGR)
    engine = segmentation.createSelectiveSearchSegmentation()
    opencv.switch_to_paper(cv2, engine, bgr)
    engine.clearGraphSegmentations()
    for k in (150, 300, 450):
        engine.addGraphSegmentation(segmentation.createGraphSegmentation(0.8, k, 100))
    boxes = {(int(x), int(y), int(x + w), int(y + h)) for x, y, w, h in engine.process()}
    assert boxes == as_set(opencv.search(image, "fast"))


def test_paper_drops_small_boxes_and_finds_more_than_fast():
    image = blobs(300, 200)
    boxes = opencv.search(image, "paper")
    assert (boxes[:, 2:] - boxes[:, :2] >= 20).all()
    assert len(as_set(boxes)) > len(as_set(opencv.search(image, "fast")))


@pytest.mark.parametrize("size", [(1, 1), (1, 300), (300, 2), (5, 5)])
@pytest.mark.parametrize("preset", ["fast", "paper"])
def test_odd_sizes_are_searched(size, preset):
    width, height = size
    boxes = opencv.search(blobs(width, height), preset)
    assert boxes.shape[1] == 4
    assert (boxes >= 0).all()
    assert (boxes <= [width, height, width, height]).all()
    assert (boxes[:, :2] < boxes[:, 2:]).all()


def test_shrink_keeps_the_shape():
    assert opencv.shrink(blobs(200, 100), 50).shape == (25, 50, 3)
    assert opencv.shrink(blobs(300, 1), 50).shape == (1, 50, 3)
    image = blobs(50, 20)
    assert opencv.shrink(image, 50) is image
    assert opencv.shrink(image, 0) is image


def test_an_opencv_without_ximgproc_names_the_clash(monkeypatch):
    monkeypatch.setitem(sys.modules, "cv2", types.SimpleNamespace(error=cv2.error))
    with pytest.raises(ProposalError, match="opencv-python was installed over opencv-contrib"):
        opencv.search(np.zeros((5, 5, 3), np.uint8), "fast")


def test_a_missing_opencv_names_the_package(monkeypatch):
    monkeypatch.setitem(sys.modules, "cv2", None)
    with pytest.raises(ProposalError, match="pip install"):
        opencv.version()


def test_a_failure_of_opencv_is_reported_in_one_line(monkeypatch):
    image = blobs(40, 30)
    with pytest.raises(ProposalError, match="OpenCV could not search 40×30 pixels"):
        opencv.search(image.astype(np.float64), "fast")  # type: ignore[arg-type]
