"""Detection on a GPU, which is a pretend one: what it finds, what it is asked to do, its faults."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from frcnn_cli.cache.checkpoints import CheckpointInfo
from frcnn_cli.config import DetectConfig, InputConfig, ModelConfig, ProposalConfig, SpeedConfig
from frcnn_cli.detection import queued
from frcnn_cli.detection.detector import DetectionJob, LoadedDetector
from frcnn_cli.detection.inputs import ImageInput
from frcnn_cli.detection.loop import detect_images
from frcnn_cli.errors import DeviceError
from frcnn_cli.model.backbones import vgg16
from frcnn_cli.model.build import build_model
from frcnn_cli.model.fast_rcnn import FastRCNN
from frcnn_cli.records import DetectedImage, Sample
from support import tiny
from support.pretend_gpu import PretendGPU

SIZES = [(64, 80), (80, 64), (64, 80), (64, 79), (64, 80), (48, 40)]
"""Heights and widths; the fourth is padded to the first one's size."""
INFO = CheckpointInfo(ModelConfig(), ("cat", "dog"), InputConfig(64, 200))
EXACT = SpeedConfig("float32")
LOW = DetectConfig(score_threshold=0.2)


def lively(scale: float = 3.0) -> FastRCNN:
    """A tiny network that scores boxes differently, with numbers of any scale in between."""
    model = tiny.model()
    with torch.no_grad():
        model.class_score.weight.mul_(300 / scale)
        model.box_delta.weight.mul_(300 / scale)
        model.backbone.trunk[0][0].weight.mul_(scale)
    return model


def pictures() -> list[ImageInput]:
    rng = np.random.default_rng(0)
    images = []
    for number, (height, width) in enumerate(SIZES):
        corners = rng.uniform(0, 20, (30, 2))
        boxes = np.hstack((corners, corners + rng.uniform(8, 20, (30, 2))))
        pixels = rng.integers(0, 255, (height, width, 3), np.uint8)
        truth = Sample(
            str(number),
            Path(f"{number}.jpg"),
            boxes[:2].astype(np.float32) + 1,
            np.array([1, 2]),
            np.zeros(2, bool),
        )
        images.append(ImageInput(None, pixels, boxes.astype(np.float32), truth))
    return images


def job_on(
    device: str,
    model: FastRCNN | None = None,
    config: DetectConfig = LOW,
    speed: SpeedConfig = EXACT,
) -> DetectionJob:
    detector = LoadedDetector.of((model or lively()).to(device), INFO, speed)
    return DetectionJob(detector, None, ProposalConfig(), config, match_iou=0.5)


def found_on(device: str, images: list[ImageInput], **settings: Any) -> list[DetectedImage]:
    found = list(detect_images(images, job_on(device, **settings)))
    assert all(isinstance(each, DetectedImage) for each in found), found
    return found  # type: ignore[return-value]


def assert_same(found: list[DetectedImage], expected: list[DetectedImage]) -> None:
    assert len(found) == len(expected)
    assert sum(len(each.detections) for each in expected) > len(expected)
    for one, other in zip(found, expected, strict=True):
        assert (one.width, one.height, one.proposals) == (
            other.width,
            other.height,
            other.proposals,
        )
        np.testing.assert_array_equal(one.detections.labels, other.detections.labels)
        np.testing.assert_allclose(one.detections.scores, other.detections.scores, atol=1e-5)
        np.testing.assert_allclose(one.detections.boxes, other.detections.boxes, atol=1e-3)
        assert one.diagnostics is not None
        assert other.diagnostics is not None
        for name in ("proposal_iou", "candidate_score"):
            pair = (getattr(each.diagnostics, name) for each in (one, other))
            np.testing.assert_allclose(*pair, atol=1e-5)


@pytest.mark.parametrize(
    "config",
    [
        LOW,
        DetectConfig(score_threshold=0.2, vote=0.0, max_per_image=5),
        DetectConfig(score_threshold=0.2, scales=(48, 96)),
    ],
)
def test_it_finds_what_the_cpu_finds(pretend_gpu: PretendGPU, config: DetectConfig) -> None:
    bare = dataclasses.replace(pictures()[0], proposals=np.zeros((0, 4), np.float32))
    images = [*pictures(), bare, *pictures(), *pictures()]
    expected = found_on("cpu", images, config=config)
    assert_same(found_on("cuda", images, config=config), expected)


def test_more_candidates_than_there_is_room_for_are_all_fetched(
    pretend_gpu: PretendGPU, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(queued, "_CANDIDATES", 2)
    assert_same(found_on("cuda", pictures()), found_on("cpu", pictures()))


@pytest.mark.parametrize("backbone", ["tiny", "vgg16"])
def test_an_image_takes_few_operations_and_a_batch_one_wait(
    backbone: str, pretend_gpu: PretendGPU, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = lively()
    if backbone == "vgg16":
        stages = ((4, 4), (4, 4), (8, 8, 8), (8, 8, 8), (8, 8, 8))
        monkeypatch.setattr(vgg16, "_STAGES", stages)
        monkeypatch.setattr(vgg16, "_HIDDEN", 16)
        model = build_model(ModelConfig("vgg16"), 2)
    images = [
        dataclasses.replace(each, truth=None) for each in pictures() if each.pixels is not None
    ]
    eight = [images[0]] * 8
    job = job_on("cuda", model)
    list(detect_images(eight, job))  # moves what stays on the GPU
    pretend_gpu.reset()
    list(detect_images(eight, job))
    usage = pretend_gpu.total
    assert usage.operations.total() <= 8 * 30, usage
    assert usage.waits.total() == 1, usage
    # 0.2 MB: 2,048 candidates of 7 numbers per image.
    assert usage.copies["to CPU"] <= 8 * 2048 * 7 * 4 + 1000
    pretend_gpu.reset()
    list(detect_images(eight[:1], job))
    assert pretend_gpu.total.operations.total() <= 200, pretend_gpu.total
    assert pretend_gpu.total.waits.total() == 1, pretend_gpu.total


def test_diagnoses_wait_for_nothing_either(pretend_gpu: PretendGPU) -> None:
    job = job_on("cuda")
    list(detect_images(pictures()[:1] * 8, job))
    pretend_gpu.reset()
    list(detect_images(pictures()[:1] * 8, job))
    assert pretend_gpu.total.waits.total() == 1, pretend_gpu.total


def test_numbers_too_large_for_float16_are_computed_in_bfloat16(pretend_gpu: PretendGPU) -> None:
    job = job_on("cuda", lively(3e5), speed=SpeedConfig())
    assert job.detector.network.dtype == torch.float16
    found = list(detect_images(pictures(), job))
    assert job.detector.network.dtype == torch.bfloat16
    for each in found:
        assert isinstance(each, DetectedImage)
        assert len(each.detections)
        assert np.isfinite(each.detections.scores).all()
    largest = job_on("cuda", lively(1e7), speed=SpeedConfig())
    assert largest.detector.network.dtype == torch.bfloat16


def fails_where(
    monkeypatch: pytest.MonkeyPatch, too_much: Callable[[int, int], bool]
) -> list[tuple[int, int]]:
    """Has the GPU run out of memory by the number of images and the largest height."""
    calls: list[tuple[int, int]] = []
    forward = LoadedDetector.forward

    def limited(self: LoadedDetector, images: Any, *rest: Any) -> Any:
        call = len(images), max(view.pixels.shape[0] for views in images for view in views)
        calls.append(call)
        if too_much(*call):
            raise torch.OutOfMemoryError("CUDA out of memory")
        return forward(self, images, *rest)

    monkeypatch.setattr(LoadedDetector, "forward", limited)
    return calls


def test_without_memory_for_a_batch_images_are_detected_one_by_one(
    pretend_gpu: PretendGPU, monkeypatch: pytest.MonkeyPatch
) -> None:
    expected = found_on("cpu", pictures())
    calls = fails_where(monkeypatch, lambda count, _: count > 1)
    assert_same(found_on("cuda", pictures()), expected)
    assert calls[:2] == [(4, 64), (1, 64)]


def test_an_image_too_large_for_the_gpu_is_noted_and_the_others_are_done(
    pretend_gpu: PretendGPU, monkeypatch: pytest.MonkeyPatch
) -> None:
    fails_where(monkeypatch, lambda _, height: height == 80)
    found = list(detect_images(pictures(), job_on("cuda")))
    assert [isinstance(each, DetectedImage) for each in found] == [True, False, *[True] * 4]
    assert isinstance(found[1], DeviceError)
    assert str(found[1]).startswith("the GPU has no memory for it; lower --scales")


@pytest.mark.gpu
def test_a_real_gpu_is_waited_for_at_the_end_of_a_batch_only() -> None:
    job = job_on("cuda")
    expected = list(detect_images(pictures(), job))
    torch.cuda.set_sync_debug_mode("error")  # it allows to wait for an event
    try:
        found = list(detect_images(pictures(), job))
    finally:
        torch.cuda.set_sync_debug_mode("default")
    assert_same(found, expected)  # type: ignore[arg-type]
