"""Scoring files of detections: the ground truth itself, written by each tool, is found whole."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from frcnn_cli.cache.store import Cache
from frcnn_cli.config import EvalConfig
from frcnn_cli.data.images import image_size
from frcnn_cli.data.open import open_dataset, read_split
from frcnn_cli.detection.formats.registry import WORDS, open_writer
from frcnn_cli.detection.formats.writer import WriterContext
from frcnn_cli.errors import DataError
from frcnn_cli.evaluation.export import export_detections
from frcnn_cli.evaluation.run import EvaluationJob, evaluate_file
from frcnn_cli.records import DetectedImage, Detections
from support.datasets import coco, write_image


@pytest.fixture
def truth(scenes: Path, tmp_path: Path) -> Path:
    """The ground truth of the split test, as a detector's boxes.json."""
    dataset = open_dataset(scenes, Cache(tmp_path / "cache"))
    samples, _ = read_split(dataset, "test")
    path = tmp_path / "truth.json"
    with open_writer("frcnn", path, WriterContext(dataset.classes)) as writer:
        for each in samples:
            scores = np.linspace(0.9, 0.5, len(each.labels), dtype=np.float32)
            found = Detections(each.boxes, scores, each.labels)
            writer.write(DetectedImage(str(each.path), *image_size(each.path), 0, found))
    return path


@pytest.mark.parametrize("kind", WORDS)
def test_an_export_scores_as_what_it_was_made_of(kind, scenes, truth, tmp_path):
    cache = Cache(tmp_path / "cache")
    run = evaluate_file(EvaluationJob(scenes, "test", cache), truth)
    assert run.evaluation.mean_ap("voc07") == 1
    assert (run.format, run.split, run.coco, run.explanation) == (
        "frcnn.detections/1",
        "test",
        None,
        None,
    )
    export_detections(run, tmp_path / "export", kind)
    job = EvaluationJob(scenes, "test", cache, EvalConfig(metric="coco"), explained=True)
    again = evaluate_file(job, tmp_path / "export")
    assert again.format == WORDS[kind]
    assert again.coco is not None
    assert again.explanation is not None
    assert again.coco.mean_ap == again.explanation.map == 1


def test_the_split_that_was_detected_must_be_named(scenes, truth, tmp_path):
    with pytest.raises(DataError, match=r"images\[0\]: image .* is not in the split"):
        evaluate_file(EvaluationJob(scenes, "train", Cache(tmp_path / "cache")), truth)


def test_coco_results_use_the_data_sets_own_ids(tmp_path):
    # Image 7 is named 9.jpg and the dog's number is 20: neither follows from names or order.
    root = tmp_path / "data"
    write_image(root / "val2017" / "9.jpg")
    coco(
        root / "annotations" / "instances_val2017.json",
        [{"id": 7, "file_name": "9.jpg"}],
        [{"image_id": 7, "category_id": 20, "bbox": [1, 2, 20, 10]}],
    )
    results = [{"image_id": 7, "category_id": 20, "bbox": [1, 2, 20, 10], "score": 0.5}]
    (tmp_path / "results.json").write_text(json.dumps(results))
    cache = Cache(tmp_path / "cache")
    rules = EvalConfig(metric="coco")
    run = evaluate_file(EvaluationJob(root, "val", cache, rules), tmp_path / "results.json")
    assert run.coco is not None
    assert run.coco.mean_ap == 1
    export_detections(run, tmp_path / "again.json", "coco")
    assert json.loads((tmp_path / "again.json").read_text()) == results
    for name, value, message in (
        ("image_id", 9, "image_id 9 is not in the split"),
        ("category_id", 2, "category_id is 2; the data set's are 10 cat, 20 dog"),
    ):
        (tmp_path / "results.json").write_text(json.dumps([{**results[0], name: value}]))
        with pytest.raises(DataError, match=message):
            evaluate_file(EvaluationJob(root, "val", cache, rules), tmp_path / "results.json")
