"""Files that detect writes open in the tools that they are for."""

from __future__ import annotations

import csv
import io
import json
from contextlib import redirect_stdout
from pathlib import Path
from typing import get_args

import numpy as np
import pytest
from PIL import Image

from frcnn_cli.cache.store import Cache
from frcnn_cli.config import OutputFormat
from frcnn_cli.data.open import open_dataset
from frcnn_cli.detection.formats.registry import (
    FORMATS,
    STDOUT,
    check_names,
    check_target,
    open_writer,
)
from frcnn_cli.detection.formats.writer import WriterContext
from frcnn_cli.errors import DataError
from frcnn_cli.records import DetectedImage, Detections, as_boxes

CLASSES = ("cat", "dog & bone")
SIZE = (640, 480)


def detected(file: str, number: int, seed: int = 0) -> DetectedImage:
    draw = np.random.default_rng(seed)
    corners = draw.uniform(0, 1, (number, 2, 2)) * (np.array(SIZE) - 8) / 2
    boxes = np.concatenate((corners[:, 0], corners[:, 0] + corners[:, 1] + 4), axis=1)
    scores = np.sort(draw.uniform(0.05, 1, number))[::-1].astype(np.float32)
    labels = draw.integers(1, 3, number)
    return DetectedImage(file, *SIZE, 2000, Detections(as_boxes(boxes), scores, labels))


IMAGES = [detected("in/000012.jpg", 40, 1), detected("in/empty.jpg", 0), detected("in/7.png", 3, 2)]


def written(kind: OutputFormat, target: Path) -> Path:
    with open_writer(kind, target, WriterContext(CLASSES, annotations=True)) as writer:
        for image in IMAGES:
            writer.write(image)
    return target


@pytest.fixture
def expected_boxes(tmp_path: Path) -> dict[str, list[dict]]:
    """The detections of each image as boxes.json has them."""
    document = json.loads(written("frcnn", tmp_path / "boxes.json").read_text())
    return {each["file"]: each["detections"] for each in document["images"]}


def test_voc_xml_loads_with_our_own_reader_and_equals_the_json(tmp_path, expected_boxes):
    folder = written("voc", tmp_path / "annotations")
    for image in IMAGES:
        Image.new("RGB", SIZE).save(folder / Path(image.file).name)
    dataset = open_dataset(folder, Cache(tmp_path / "cache"))
    assert dataset.classes == CLASSES
    samples = {
        sample.image_id: sample for split in dataset.splits for sample in dataset.samples(split)
    }
    assert set(samples) == {"000012", "empty", "7"}
    for image in IMAGES:
        sample, expected = samples[Path(image.file).stem], expected_boxes[image.file]
        assert [CLASSES[label - 1] for label in sample.labels] == [e["label"] for e in expected]
        np.testing.assert_array_equal(sample.boxes, as_boxes([each["box"] for each in expected]))


def test_voc_xml_is_written_as_people_write_it(tmp_path):
    text = (written("voc", tmp_path / "annotations") / "7.xml").read_text()
    edges = [line for line in text.splitlines() if "<xmin>" in line]
    assert len(edges) == 3
    assert all(len(line) < 100 for line in edges), "no 17 digits for a hundredth of a pixel"


def test_coco_opens_with_pycocotools(tmp_path):
    from pycocotools.coco import COCO  # noqa: PLC0415  silent at import, loud when used

    ids = {"in/000012.jpg": 12, "in/7.png": 7}
    file = tmp_path / "coco.json"
    with open_writer("coco", file, WriterContext(CLASSES, annotations=True)) as writer:
        for image in IMAGES:
            if image.file in ids:
                writer.write(image)
    with redirect_stdout(io.StringIO()):
        truth = COCO()
        truth.dataset = {
            "images": [{"id": each, "width": 640, "height": 480} for each in ids.values()],
            "categories": [{"id": i, "name": name} for i, name in enumerate(CLASSES, 1)],
            "annotations": [],
            "info": {},
        }
        truth.createIndex()
        results = truth.loadRes(str(file))
    for image in IMAGES:
        if image.file in ids:
            rows = results.loadAnns(results.getAnnIds(imgIds=[ids[image.file]]))
            x, y, width, height = np.array([row["bbox"] for row in rows]).T
            boxes = np.stack((x, y, x + width, y + height), axis=1)
            np.testing.assert_allclose(boxes, image.detections.boxes, atol=0.011)
            assert [row["category_id"] for row in rows] == image.detections.labels.tolist()


def test_yolo_labels_have_the_five_numbers_of_annotation_tools(tmp_path, expected_boxes):
    folder = written("yolo", tmp_path / "labels")
    names = (folder / "classes.txt").read_text().splitlines()
    assert {path.name for path in folder.iterdir()} == {
        "classes.txt",
        "000012.txt",
        "empty.txt",
        "7.txt",
    }
    for image in IMAGES:
        lines = (folder / f"{Path(image.file).stem}.txt").read_text().splitlines()
        assert len(lines) == len(expected_boxes[image.file])
        for line, expected in zip(lines, expected_boxes[image.file], strict=True):
            number, x, y, w, h = line.split(" ")
            assert names[int(number)] == expected["label"]
            x, w, y, h = float(x) * 640, float(w) * 640, float(y) * 480, float(h) * 480
            edges = (x - w / 2, y - h / 2, x + w / 2, y + h / 2)
            assert edges == pytest.approx(expected["box"], abs=1e-6)


def test_a_line_of_jsonl_is_an_entry_of_the_json(tmp_path):
    document = json.loads(written("frcnn", tmp_path / "boxes.json").read_text())
    lines = written("jsonl", tmp_path / "boxes.jsonl").read_text().splitlines()
    assert [json.loads(line) for line in lines] == document["images"]


def test_csv_has_a_row_a_detection(tmp_path, expected_boxes):
    with written("csv", tmp_path / "boxes.csv").open(newline="") as stream:
        rows = list(csv.DictReader(stream))
    assert len(rows) == 43
    everything = [(file, each) for file, found in expected_boxes.items() for each in found]
    for row, (file, expected) in zip(rows, everything, strict=True):
        assert (row["file"], row["label"], row["width"]) == (file, expected["label"], "640")
        assert [float(row[edge]) for edge in ("x1", "y1", "x2", "y2")] == expected["box"]
        assert float(row["score"]) == expected["score"]


@pytest.mark.parametrize("kind", ["jsonl", "csv"])
def test_lines_are_in_the_pipe_when_an_image_is_done(kind):
    class Pipe(io.StringIO):
        seen = ""

        def flush(self):
            self.seen = self.getvalue()

    pipe = Pipe()
    with open_writer(kind, pipe, WriterContext(CLASSES, annotations=True)) as writer:
        writer.write(IMAGES[0])
        assert "000012.jpg" in pipe.seen


def test_csv_writes_names_that_are_not_unicode(tmp_path):
    image = detected("in/\udcff.jpg", 1)
    with open_writer("csv", tmp_path / "b.csv", WriterContext(CLASSES, annotations=True)) as writer:
        writer.write(image)
    assert r"in/\udcff.jpg" in (tmp_path / "b.csv").read_text()


@pytest.mark.parametrize("kind", get_args(OutputFormat))
def test_nothing_is_left_of_a_write_that_failed(tmp_path, kind):
    with (
        pytest.raises(RuntimeError),
        open_writer(kind, tmp_path / "out", WriterContext(CLASSES, annotations=True)) as writer,
    ):
        writer.write(IMAGES[0])
        raise RuntimeError
    assert list(tmp_path.iterdir()) == []
    assert kind in FORMATS


@pytest.mark.parametrize(
    ("kind", "target", "images", "message"),
    [
        ("voc", STDOUT, [], "cannot go to standard output; name a folder"),
        ("voc", "full", [], "holds files already"),
        ("csv", "full", [], "is a folder; name a file"),
        ("yolo", "new", ["a/x.jpg", "b/x.png"], "written under the name of a/x.jpg"),
        ("yolo", "new", ["a/classes.jpg"], "written over classes.txt"),
        ("coco", "new.json", ["a/001.jpg", "b/1.png"], "written under the name of a/001.jpg"),
    ],
)
def test_what_could_not_be_written_is_refused_before_the_work(
    tmp_path, kind, target, images, message
):
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "mine.txt").touch()
    with pytest.raises(DataError, match=message):
        where = target if target == STDOUT else tmp_path / target
        check_target(kind, where)
        check_names(kind, [Path(each) for each in images])


@pytest.mark.parametrize("kind", get_args(OutputFormat))
def test_a_full_disk_is_one_line(small_disk, kind):
    many = detected("in/a.jpg", 25_000, 3)  # more than a mebibyte in every format
    with (
        pytest.raises(DataError, match="No space left on device"),
        open_writer(kind, small_disk / "out", WriterContext(CLASSES, annotations=True)) as writer,
    ):
        writer.write(many)
    assert list(small_disk.iterdir()) == []
