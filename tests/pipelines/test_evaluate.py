"""Scoring files of detections: the ground truth itself, written by each tool, is found whole."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from frcnn_cli.cache.store import Cache
from frcnn_cli.config import EvalConfig
from frcnn_cli.data.images import image_size
from frcnn_cli.errors import DataError
from frcnn_cli.evaluation.formats.choose import WORDS, open_writer
from frcnn_cli.pipelines.dataset import open_dataset, read_split
from frcnn_cli.pipelines.evaluate import evaluate_file
from frcnn_cli.pipelines.export import export_detections
from frcnn_cli.records import DetectedImage, Detections


@pytest.fixture
def truth(scenes: Path, tmp_path: Path) -> Path:
    """The ground truth of the split test, as a detector's boxes.json."""
    dataset = open_dataset(scenes, Cache(tmp_path / "cache"))
    samples, _ = read_split(dataset, "test")
    path = tmp_path / "truth.json"
    with open_writer("frcnn", path, classes=dataset.classes) as writer:
        for each in samples:
            scores = np.linspace(0.9, 0.5, len(each.labels), dtype=np.float32)
            found = Detections(each.boxes, scores, each.labels)
            writer.write(DetectedImage(str(each.path), *image_size(each.path), 0, found))
    return path


@pytest.mark.parametrize("kind", WORDS)
def test_an_export_scores_as_what_it_was_made_of(kind, scenes, truth, tmp_path):
    cache = Cache(tmp_path / "cache")
    run = evaluate_file(scenes, "test", truth, cache, EvalConfig())
    assert run.evaluation.mean_ap("voc07") == 1
    assert (run.format, run.split, run.coco, run.explanation) == (
        "frcnn.detections/1",
        "test",
        None,
        None,
    )
    export_detections(run, tmp_path / "export", kind, source="truth")
    again = evaluate_file(
        scenes, "test", tmp_path / "export", cache, EvalConfig(metric="coco"), explained=True
    )
    assert again.format == WORDS[kind]
    assert again.coco is not None
    assert again.explanation is not None
    assert again.coco.mean_ap == again.explanation.map == 1


def test_the_split_that_was_detected_must_be_named(scenes, truth, tmp_path):
    with pytest.raises(DataError, match=r"images\[0\]: photograph .* is not in the split"):
        evaluate_file(scenes, "train", truth, Cache(tmp_path / "cache"), EvalConfig())
