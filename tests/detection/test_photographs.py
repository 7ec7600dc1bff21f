"""Photographs on which the network fails, in the midst of others."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from frcnn_cli.cache.checkpoints import CheckpointInfo
from frcnn_cli.cache.store import Cache
from frcnn_cli.config import DetectConfig, InputConfig, ModelConfig, ProposalConfig
from frcnn_cli.data.scenes import CLASSES
from frcnn_cli.detection.detector import Detector
from frcnn_cli.detection.photographs import detect_photographs, open_journal
from frcnn_cli.errors import FrcnnError
from frcnn_cli.model.build import build_model
from frcnn_cli.records import DetectedImage


@pytest.fixture(scope="module")
def detector() -> Detector:
    info = CheckpointInfo(ModelConfig("alexnet"), CLASSES, InputConfig(96, 160))
    return Detector.of(build_model(info.model, len(CLASSES)), info)


def test_a_photograph_too_large_for_the_gpu_is_noted_and_the_others_are_done(
    scenes: Path, tmp_path: Path, detector: Detector, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The GPU, which is not here, is played by an error of torch's."""
    paths = sorted((scenes / "JPEGImages").iterdir())[:3]
    done, detect_views = [], detector.detect_views

    def fails_at_the_second(*given: object) -> object:
        done.append(1)
        if len(done) == 2:
            raise torch.OutOfMemoryError("CUDA out of memory")
        return detect_views(*given)  # type: ignore[arg-type]

    monkeypatch.setattr(Detector, "detect_views", lambda _, *given: fails_at_the_second(*given))
    config = ProposalConfig(max_proposals=20)
    first, second, third = detect_photographs(
        paths, detector, Cache(tmp_path), proposals=config, config=DetectConfig(), workers=0
    )
    assert isinstance(first, DetectedImage)
    assert isinstance(third, DetectedImage)
    assert isinstance(second, FrcnnError)
    assert str(second).startswith(f"{paths[1]}: the GPU has no memory for it; lower --scales")


def test_a_device_has_no_journal() -> None:
    with open_journal(Path("/dev/null"), "frcnn", {}, CLASSES, resume=False) as journal:
        assert journal is None
