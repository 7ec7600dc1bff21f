"""The detector in the box."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import matplotlib
import pytest
import torch

from frcnn_cli.cache.checkpoints import load_checkpoint, save_checkpoint
from frcnn_cli.cache.store import Cache
from frcnn_cli.config import DetectConfig, ProposalConfig
from frcnn_cli.detection.detector import BUNDLED, DetectionJob, LoadedDetector
from frcnn_cli.detection.inputs import ImageInput
from frcnn_cli.detection.loop import detect_image
from frcnn_cli.errors import CheckpointError

CPU = torch.device("cpu")


def test_it_is_small_and_knows_the_voc_classes() -> None:
    assert BUNDLED.stat().st_size <= 15e6
    detector = LoadedDetector.load(BUNDLED, CPU)
    assert len(detector.info.classes) == 20
    assert {"aeroplane", "dog", "person", "tvmonitor"} <= set(detector.info.classes)


@pytest.mark.parametrize(
    ("described", "problem"),
    [
        ({"fc6_rank": 100_000}, "fc6 to rank 100000; use a rank from 1 to"),
        ({"finetune_from": "conv9"}, "finetune_from is 'conv9'; use all or one of"),
        ({"backbone": "alexnet"}, "its tensors are not those of alexnet with 20 classes"),
        ({"fc6_rank": 3}, "its tensors are not those of efficientnet_lite2 with 20 classes"),
    ],
)
def test_what_a_checkpoint_describes_wrongly_names_the_file(
    tmp_path: Path, described: dict[str, Any], problem: str
) -> None:
    tensors, info = load_checkpoint(BUNDLED)
    file = tmp_path / "changed.safetensors"
    save_checkpoint(file, tensors, replace(info, model=replace(info.model, **described)))
    with pytest.raises(CheckpointError, match=rf"changed\.safetensors: {problem}"):
        LoadedDetector.load(file, CPU)


def test_it_finds_the_person_in_a_portrait(tmp_path: Path) -> None:
    """The image that matplotlib ships: one person, from the hat to the lower edge."""
    portrait = Path(matplotlib.get_data_path()) / "sample_data" / "grace_hopper.jpg"
    cache = Cache(tmp_path)
    detector = LoadedDetector.load(BUNDLED, CPU)
    job = DetectionJob(detector, cache, ProposalConfig(), DetectConfig())
    found = detect_image(ImageInput(portrait), job)
    person = detector.info.classes.index("person") + 1
    assert found.detections.labels[0] == person
    assert found.detections.scores[0] > 0.5
    x1, y1, x2, y2 = found.detections.boxes[0]
    assert (x2 - x1) * (y2 - y1) > 0.4 * found.width * found.height
    assert set(found.seconds) == {"decode", "proposals", "network", "postprocess"}


@pytest.mark.slow
def test_detections_do_not_depend_on_the_number_of_threads(tmp_path: Path) -> None:
    portrait = Path(matplotlib.get_data_path()) / "sample_data" / "grace_hopper.jpg"
    cache, threads = Cache(tmp_path), torch.get_num_threads()
    scores = []
    for n in (1, 2):
        torch.set_num_threads(n)
        detector = LoadedDetector.load(BUNDLED, CPU)
        job = DetectionJob(detector, cache, ProposalConfig(), DetectConfig())
        found = detect_image(ImageInput(portrait), job)
        scores.append(found.detections.scores)
    torch.set_num_threads(threads)
    assert scores[0] == pytest.approx(scores[1], abs=1e-4)
