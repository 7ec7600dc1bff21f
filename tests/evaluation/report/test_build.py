"""The report of real images with made detections, and two of them side by side."""

from __future__ import annotations

import base64
import io
import json
import re
import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from frcnn_cli.cache.store import Cache
from frcnn_cli.config import EvalConfig
from frcnn_cli.data.images import image_size
from frcnn_cli.data.open import open_dataset, read_split
from frcnn_cli.detection.formats.registry import open_writer
from frcnn_cli.detection.formats.writer import WriterContext
from frcnn_cli.errors import ConfigError, DataError
from frcnn_cli.evaluation.report.build import (
    compare_runs,
    require_report_folder,
    write_comparison,
    write_report,
)
from frcnn_cli.evaluation.run import EvaluationJob, evaluate_file
from frcnn_cli.records import DetectedImage, Detections, as_boxes


@pytest.fixture
def cache(tmp_path):
    return Cache(tmp_path / "cache")


def write_boxes(path, scenes, cache, *, spoilt):
    """Writes the ground truth as detections; of each image the first `spoilt` are wrong.

    They are, in turn, called something else, moved by half their width, and left out.
    """
    dataset = open_dataset(scenes, cache)
    samples, _ = read_split(dataset, "test")
    with open_writer("frcnn", path, WriterContext(dataset.classes)) as writer:
        for sample in samples:
            boxes, labels = sample.boxes.copy(), sample.labels.copy()
            width, height = image_size(sample.path)
            keep = np.ones(len(labels), bool)
            if spoilt > 0:
                labels[0] = labels[0] % len(dataset.classes) + 1
            if spoilt > 1 and len(labels) > 1:
                shift = (boxes[1, 2] - boxes[1, 0]) / 2
                boxes[1, [0, 2]] = (boxes[1, [0, 2]] + shift).clip(0, width)
            if spoilt > 2 and len(labels) > 2:
                keep[2] = False
            scores = np.linspace(0.9, 0.5, len(labels), dtype=np.float32)
            found = Detections(as_boxes(boxes[keep]), scores[keep], labels[keep])
            writer.write(DetectedImage(str(sample.path), width, height, 0, found))
    return path


def report(folder, run):
    return write_report(folder, run, "frcnn eval scenes")


def test_a_report_holds_what_was_scored(scenes, cache, tmp_path):
    boxes = write_boxes(tmp_path / "boxes.json", scenes, cache, spoilt=3)
    run = evaluate_file(EvaluationJob(scenes, "test", cache), boxes)
    result = report(tmp_path / "report", run)
    assert json.loads((tmp_path / "report" / "report.json").read_text()) == result
    assert result["evaluation"]["map"] == run.evaluation.mean_ap("voc07")
    low, high = result["bootstrap"]["map"]
    assert low <= result["evaluation"]["map"] <= high
    missed = sum(each["in_use"] for each in result["misses"].values())
    sizes = result["sizes"].values()
    assert missed == sum(each["objects"] - each["found_in_use"] for each in sizes) > 0
    by_class = result["classes_in_use"].values()
    assert missed == sum(sum(each["misses"].values()) for each in by_class)
    # Detections of a file have no past.
    assert set(result["misses"]) == {"confused", "localisation", "undetected"}
    page = (tmp_path / "report" / "index.html").read_text()
    assert f"{scenes.resolve().name}, split test" in page
    assert "A file of detections does not show what came before them." in page
    pictures = re.findall(
        r'src="data:image/jpeg;base64,([^"]+)" width="(\d+)" height="(\d+)"', page
    )
    assert pictures
    for data, width, height in pictures:
        assert Image.open(io.BytesIO(base64.b64decode(data))).size == (int(width), int(height))


def test_a_report_by_cocos_rules_names_them(scenes, cache, tmp_path):
    boxes = write_boxes(tmp_path / "boxes.json", scenes, cache, spoilt=1)
    config = EvalConfig(metric="coco")
    run = evaluate_file(EvaluationJob(scenes, "test", cache, config), boxes)
    result = report(tmp_path / "report", run)
    assert result["evaluation"]["metric"] == "voc10"
    page = (tmp_path / "report" / "index.html").read_text()
    assert f"{run.coco.mean_ap:.3f}" in page
    assert "COCO" in page


def test_an_image_that_is_gone_has_no_picture(scenes, cache, tmp_path):
    copy = tmp_path / "scenes"
    shutil.copytree(scenes, copy)
    boxes = write_boxes(tmp_path / "boxes.json", copy, cache, spoilt=3)
    run = evaluate_file(EvaluationJob(copy, "test", cache), boxes)
    for sample in run.samples:
        sample.path.unlink()
    report(tmp_path / "report", run)
    assert "<img" not in (tmp_path / "report" / "index.html").read_text()


def test_a_perfect_detector_has_nothing_to_show(scenes, cache, tmp_path):
    boxes = write_boxes(tmp_path / "boxes.json", scenes, cache, spoilt=0)
    result = report(
        tmp_path / "report",
        evaluate_file(EvaluationJob(scenes, "test", cache), boxes),
    )
    assert result["working_point"]["f1"] == 1
    assert result["bootstrap"]["map"] == [1, 1]
    assert "Worst" not in (tmp_path / "report" / "index.html").read_text()


def test_two_files_side_by_side(scenes, cache, tmp_path):
    a = write_boxes(tmp_path / "a.json", scenes, cache, spoilt=3)
    b = write_boxes(tmp_path / "b.json", scenes, cache, spoilt=0)
    before, run = (evaluate_file(EvaluationJob(scenes, "test", cache), each) for each in (a, b))
    comparison = compare_runs(before, run)
    assert comparison.b.map == 1
    assert comparison.difference == pytest.approx(1 - comparison.a.map)
    command = "frcnn eval scenes --compare a.json b.json"
    write_comparison(tmp_path / "report", comparison, (before, run), command)
    figures = json.loads((tmp_path / "report" / "report.json").read_text())
    assert figures["map_b"] == 1
    assert "a.json" in (tmp_path / "report" / "index.html").read_text()


def test_what_cannot_be_compared(scenes, cache, tmp_path):
    boxes = write_boxes(tmp_path / "a.json", scenes, cache, spoilt=0)
    run = evaluate_file(EvaluationJob(scenes, "test", cache), boxes)
    names = (*(each.name for each in run.evaluation.classes), "zebra")
    other = evaluate_file(EvaluationJob(scenes, "test", cache), boxes, names)
    assert other.evaluation.mean_ap("voc07") == 1
    with pytest.raises(DataError, match="A and B do not have the same classes"):
        compare_runs(run, other)


def test_a_report_may_be_written_again_and_nothing_else_over(scenes, cache, tmp_path):
    folder = tmp_path / "report"
    require_report_folder(folder)
    boxes = write_boxes(tmp_path / "boxes.json", scenes, cache, spoilt=0)
    report(folder, evaluate_file(EvaluationJob(scenes, "test", cache), boxes))
    require_report_folder(folder)
    (folder / "report.json").write_text('["mine"]')
    with pytest.raises(ConfigError, match=r"not a report of frcnn; name another folder"):
        require_report_folder(folder)
    (folder / "report.json").unlink()
    with pytest.raises(ConfigError, match=r"not a report of frcnn"):
        require_report_folder(folder)
    with pytest.raises(ConfigError, match=r"boxes\.json: is not a folder"):
        require_report_folder(Path(boxes))
