"""The detection loop: failures amid other images, and what the cache holds."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from frcnn_cli.cache.checkpoints import CheckpointInfo, save_checkpoint
from frcnn_cli.cache.detections import KIND
from frcnn_cli.cache.store import Cache
from frcnn_cli.config import DetectConfig, InputConfig, ModelConfig, ProposalConfig
from frcnn_cli.data.scenes import CLASSES
from frcnn_cli.detection.detector import DetectionJob, LoadedDetector
from frcnn_cli.detection.inputs import ImageInput
from frcnn_cli.detection.kept import KeptDetections
from frcnn_cli.detection.loop import detect_images
from frcnn_cli.errors import CacheError
from frcnn_cli.model.build import build_model
from frcnn_cli.records import DetectedImage

SEARCH = ProposalConfig(max_proposals=20)
CPU = torch.device("cpu")


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A detector of the scenes' classes that has learnt nothing."""
    path = tmp_path_factory.mktemp("checkpoint") / "best.safetensors"
    torch.manual_seed(0)
    tensors = build_model(ModelConfig(), len(CLASSES)).state_dict()
    save_checkpoint(path, tensors, CheckpointInfo(ModelConfig(), CLASSES, InputConfig(96, 160), {}))
    return path


@pytest.fixture
def detector(checkpoint: Path) -> LoadedDetector:
    return LoadedDetector.load(checkpoint, CPU)


@pytest.fixture
def images(scenes: Path) -> list[ImageInput]:
    return [ImageInput(path) for path in sorted((scenes / "JPEGImages").iterdir())[:3]]


@pytest.fixture
def calls(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Grows by one with each image that the network sees."""
    calls, forward = [], LoadedDetector.forward

    def counted(*given: object) -> object:
        calls.append(1)
        return forward(*given)  # type: ignore[arg-type]

    monkeypatch.setattr(LoadedDetector, "forward", counted)
    return calls


def test_what_was_detected_comes_from_the_cache_where_that_is_wanted(
    images: list[ImageInput],
    tmp_path: Path,
    checkpoint: Path,
    detector: LoadedDetector,
    calls: list[int],
) -> None:
    cache = Cache(tmp_path)
    job = DetectionJob(detector, cache, SEARCH, DetectConfig(score_threshold=0.0))
    stopped = detect_images(images, job, kept=KeptDetections(job, cache, checkpoint))
    first = [next(stopped), next(stopped)]
    stopped.close()
    assert len(calls) == 2
    again = list(detect_images(images, job, kept=KeptDetections(job, cache, checkpoint)))
    assert len(calls) == 3
    for one, other in zip(first, again, strict=False):
        assert isinstance(one, DetectedImage)
        assert isinstance(other, DetectedImage)
        assert len(one.detections)
        np.testing.assert_array_equal(one.detections.boxes, other.detections.boxes)
        np.testing.assert_array_equal(one.detections.scores, other.detections.scores)
        assert one.to_json(CLASSES) == other.to_json(CLASSES)
    afresh = KeptDetections(job, cache, checkpoint, reads=False)
    list(detect_images(images, job, kept=afresh))
    assert len(calls) == 6


def test_another_threshold_or_content_is_detected_again_and_another_name_is_not(
    images: list[ImageInput],
    tmp_path: Path,
    checkpoint: Path,
    detector: LoadedDetector,
    calls: list[int],
) -> None:
    cache = Cache(tmp_path / "cache")
    copy = tmp_path / "copy.jpg"

    def detect(config: DetectConfig) -> DetectedImage:
        job = DetectionJob(detector, cache, SEARCH, config)
        kept = KeptDetections(job, cache, checkpoint)
        (found,) = detect_images([ImageInput(copy)], job, kept=kept)
        assert isinstance(found, DetectedImage)
        return found

    assert images[0].path is not None
    assert images[1].path is not None
    copy.write_bytes(images[0].path.read_bytes())
    detect(DetectConfig())
    detect(DetectConfig(score_threshold=0.5))
    copy.write_bytes(images[1].path.read_bytes())
    detect(DetectConfig())
    assert len(calls) == 3
    copy = copy.rename(tmp_path / "renamed.jpg")
    assert detect(DetectConfig()).file == str(copy)
    assert len(calls) == 3


def test_a_damaged_entry_is_detected_again(
    images: list[ImageInput],
    tmp_path: Path,
    checkpoint: Path,
    detector: LoadedDetector,
    calls: list[int],
) -> None:
    cache = Cache(tmp_path)
    job = DetectionJob(detector, cache, SEARCH, DetectConfig())
    kept = KeptDetections(job, cache, checkpoint)
    expected = [
        each.to_json(CLASSES)["detections"] for each in detect_images(images, job, kept=kept)
    ]
    (entry, *_) = [path for path in (tmp_path / KIND).rglob("*") if path.is_file()]
    entry.write_bytes(entry.read_bytes()[:100])
    found = list(detect_images(images, job, kept=kept))
    assert len(calls) == 4
    assert [each.to_json(CLASSES)["detections"] for each in found] == expected


def test_a_cache_that_cannot_be_written_stops_before_the_search(
    detector: LoadedDetector, images: list[ImageInput], calls: list[int], tmp_path: Path
) -> None:
    """But for images whose proposals it holds, and those that are not kept."""
    cache = Cache(tmp_path / "cache")
    job = DetectionJob(detector, cache, SEARCH, DetectConfig())
    assert len(list(detect_images(images[:2], job))) == 2
    (tmp_path / "a file").touch()
    cut_off = replace(job, cache=Cache(tmp_path / "a file"))
    with pytest.raises(CacheError, match="a file: cannot be written"):
        next(detect_images(images, cut_off))
    assert len(calls) == 2
    pixels = ImageInput(None, images[2].load)
    assert all(isinstance(each, DetectedImage) for each in detect_images([pixels], cut_off))
