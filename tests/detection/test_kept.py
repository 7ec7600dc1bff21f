"""An evaluation that was interrupted goes on where it stopped, and comes to the same."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from unittest import mock

import numpy as np
import pytest
import torch

from frcnn_cli.cache.checkpoints import CheckpointInfo, save_checkpoint
from frcnn_cli.cache.keys import content_hash
from frcnn_cli.cache.proposals import imported_key, save_proposals
from frcnn_cli.cache.store import Cache
from frcnn_cli.config import DetectConfig, InputConfig, ModelConfig, ProposalConfig
from frcnn_cli.data.open import open_dataset
from frcnn_cli.data.scenes import CLASSES
from frcnn_cli.detection.choice import ChosenCheckpoint
from frcnn_cli.detection.detector import LoadedDetector
from frcnn_cli.detection.loop import STEP
from frcnn_cli.evaluation.export import export_detections
from frcnn_cli.evaluation.report.to_json import to_json
from frcnn_cli.evaluation.run import EvaluationJob, EvaluationRun, evaluate_detector, evaluate_file
from frcnn_cli.model.build import build_model

pytestmark = pytest.mark.slow

SEARCHED = ProposalConfig(max_proposals=50)


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A detector of the scenes' classes that has learnt nothing."""
    path = tmp_path_factory.mktemp("checkpoint") / "best.safetensors"
    torch.manual_seed(0)
    tensors = build_model(ModelConfig(), len(CLASSES)).state_dict()
    info = CheckpointInfo(ModelConfig(), CLASSES, InputConfig(96, 160), {})
    save_checkpoint(path, tensors, info)
    return path


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Cache:
    return Cache(tmp_path_factory.mktemp("cache"))


class Listener:
    """Counts the images that were detected, and presses Ctrl-C after some."""

    def __init__(self, stop_after: int | None = None) -> None:
        self.detected = 0
        self._stop_after = stop_after

    def __call__(self, step: str, *_: int) -> None:
        if step == STEP and self.detected == self._stop_after:
            raise KeyboardInterrupt


def scored(
    data: Path,
    checkpoint: Path,
    cache: Cache,
    listener: Listener,
    proposals: ProposalConfig = SEARCHED,
    **changes: object,
) -> EvaluationRun:
    forward = LoadedDetector.forward

    def counted(*given: object) -> object:
        listener.detected += 1
        return forward(*given)  # type: ignore[arg-type]

    with mock.patch.object(LoadedDetector, "forward", counted):
        return evaluate(data, checkpoint, cache, listener, proposals, **changes)


def evaluate(data, checkpoint, cache, listener, proposals, **changes) -> EvaluationRun:
    return evaluate_detector(
        EvaluationJob(data, "test", cache),
        LoadedDetector.load(checkpoint, torch.device("cpu")),
        proposals,
        dataclasses.replace(DetectConfig(score_threshold=0.01), **changes),  # type: ignore[arg-type]
        checkpoint=ChosenCheckpoint(checkpoint, "one"),
        progress=listener,
    )


def test_an_interrupted_evaluation_goes_on(scenes, checkpoint, cache):
    whole = scored(scenes, checkpoint, Cache(cache.root / "other"), Listener())
    with pytest.raises(KeyboardInterrupt):
        scored(scenes, checkpoint, cache, Listener(stop_after=3))
    rest, nothing = Listener(), Listener()
    run = scored(scenes, checkpoint, cache, rest)
    assert rest.detected == 1
    again = scored(scenes, checkpoint, cache, nothing)
    assert nothing.detected == 0
    for each in (run, again):
        assert to_json(each.evaluation) == to_json(whole.evaluation)
        np.testing.assert_array_equal(each.matched.detections.boxes, whole.matched.detections.boxes)
        assert each.evidence is not None
        assert whole.evidence is not None
        np.testing.assert_array_equal(each.evidence.candidate_score, whole.evidence.candidate_score)


def test_imported_regions_are_scored_with_and_others_of_the_same_name_anew(
    scenes, checkpoint, tmp_path
):
    cache, imported = Cache(tmp_path), ProposalConfig(engine="imported")
    dataset = open_dataset(scenes, cache)
    detected = []
    for side in (40, 50, 50):
        for sample in dataset.samples("test"):
            key = imported_key(content_hash(sample.path), "default")
            save_proposals(cache, key, np.array([[0, 0, side, side]], np.float32))
        listener = Listener()
        scored(scenes, checkpoint, cache, listener, imported)
        detected.append(listener.detected)
    assert detected == [4, 4, 0]


def test_a_cache_that_cannot_keep_detections_does_not_end_an_evaluation(
    scenes, checkpoint, cache, tmp_path, caplog
):
    whole = scored(scenes, checkpoint, cache, Listener())
    full = Cache(tmp_path)
    (full.root / "detections").write_bytes(b"a file where the folder would be")
    run = scored(scenes, checkpoint, full, Listener())
    assert to_json(run.evaluation) == to_json(whole.evaluation)
    assert sum("are not kept" in message for message in caplog.messages) == 1


def test_other_settings_are_detected_anew(scenes, checkpoint, cache):
    scored(scenes, checkpoint, cache, Listener())
    other = Listener()
    scored(scenes, checkpoint, cache, other, nms_iou=0.5)
    assert other.detected == 4


def test_a_damaged_entry_is_made_again(scenes, checkpoint, cache):
    scored(scenes, checkpoint, cache, Listener())
    for entry in (cache.root / "detections").rglob("??*"):
        if entry.is_file():
            entry.write_bytes(entry.read_bytes()[:100])
    again = Listener()
    scored(scenes, checkpoint, cache, again)
    assert again.detected == 4


def test_the_export_of_an_evaluation_scores_the_same(scenes, checkpoint, cache, tmp_path):
    run = scored(scenes, checkpoint, cache, Listener())
    assert len(run.matched.detections.scores)
    for kind in ("frcnn", "coco", "voc", "yolo"):
        export_detections(run, tmp_path / kind, kind)
        again = evaluate_file(EvaluationJob(scenes, "test", cache), tmp_path / kind)
        assert json.dumps(to_json(again.evaluation)) == json.dumps(to_json(run.evaluation))
