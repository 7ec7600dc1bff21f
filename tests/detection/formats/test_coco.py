"""COCO results: layout, ids, and what is refused by index."""

from __future__ import annotations

import io
import json

import pytest

from frcnn_cli.detection.formats.coco import CocoResultsWriter, read_coco
from frcnn_cli.detection.formats.writer import WriterContext
from frcnn_cli.errors import DataError
from support.samples import image, known, sample

CLASSES = ("cat", "dog")
SAMPLES = [sample("000012"), sample("b")]


def row(**changes):
    return {"image_id": 12, "category_id": 2, "bbox": [1, 2, 30, 40], "score": 0.5, **changes}


def stored(tmp_path, *rows):
    (tmp_path / "d.json").write_text(json.dumps(rows))
    return tmp_path / "d.json"


def test_the_layout():
    stream = io.StringIO()
    with CocoResultsWriter(stream, WriterContext(CLASSES)) as writer:
        writer.write(
            image("000012.jpg", (2, 0.98, (48.1, 240, 195.3, 371.2)), (1, 0.5, (0, 0, 1, 2)))
        )
        writer.write(image("none.jpg"))
        writer.write(image("photo.jpg", (1, 0.25, (0, 0, 500, 375))))
    assert json.loads(stream.getvalue()) == [
        {"image_id": 12, "category_id": 2, "bbox": [48.1, 240, 147.2, 131.2], "score": 0.98},
        {"image_id": 12, "category_id": 1, "bbox": [0, 0, 1, 2], "score": 0.5},
        {"image_id": "photo", "category_id": 1, "bbox": [0, 0, 500, 375], "score": 0.25},
    ]


def test_nothing_found_is_an_empty_list():
    stream = io.StringIO()
    with CocoResultsWriter(stream, WriterContext(CLASSES)) as writer:
        writer.write(image("a.jpg"))
    assert json.loads(stream.getvalue()) == []


def test_the_data_sets_own_numbers_are_used(tmp_path):
    path = tmp_path / "d.json"
    context = WriterContext(CLASSES, category_numbers=(18, 90), image_numbers={"x/000012.jpg": 7})
    with CocoResultsWriter(path, context) as writer:
        writer.write(image("x/000012.jpg", (2, 0.5, (0, 0, 10, 10))))
    assert [(each["image_id"], each["category_id"]) for each in json.loads(path.read_text())] == [
        (7, 90)
    ]
    numbers = {"category_numbers": {18: 1, 90: 2}, "image_numbers": {7: "000012"}}
    read = read_coco(path, known(SAMPLES, CLASSES, **numbers))
    assert read["000012"].labels.tolist() == [2]


def test_rows_are_sorted_and_other_keys_ignored(tmp_path):
    path = stored(tmp_path, row(score=0.25), row(score=7, segmentation=[]), row(image_id="b"))
    read = read_coco(path, known(SAMPLES, CLASSES))
    assert read["000012"].scores.tolist() == [7, 0.25]
    assert read["000012"].boxes[0].tolist() == [1, 2, 31, 42]
    assert len(read["b"]) == 1


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        (row(image_id=13), "image_id 13 is not in the split; evaluate the split that was detected"),
        (row(image_id=1.5), "image_id is 1.5"),
        (row(category_id=0), "category_id is 0; the data set's are 1 cat, 2 dog"),
        (row(category_id="dog"), "category_id is 'dog'; use a value of type int"),
        (row(category_id=True), "category_id is True"),
        (row(score=float("nan")), "score holds nan; use finite numbers"),
        (row(score=float("inf")), "score holds inf"),
        (row(bbox=[1, 2, 3]), r"bbox has 3 numbers; use \[x, y, width, height\]"),
        (row(bbox=[1, 2, -3, 4]), r"bbox \[1, 2, -3, 4\] ends before it starts"),
        (row(bbox=[400, 2, 300, 4]), "lies outside its image of 500×375 pixels"),
        (row(bbox=[1, 2, None, 4]), "bbox holds None"),
        ({"image_id": 12}, "has no 'category_id'"),
        (3, "is 3; use an object"),
    ],
)
def test_a_row_that_cannot_be_is_named(tmp_path, wrong, message):
    path = stored(tmp_path, row(), wrong)
    with pytest.raises(DataError, match=message) as caught:
        read_coco(path, known(SAMPLES, CLASSES))
    assert str(caught.value).startswith(f"{path}: [1]: ")
