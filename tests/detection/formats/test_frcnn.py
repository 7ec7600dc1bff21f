"""`boxes.json`: layout, round trip, what a failure leaves behind, what the reader refuses."""

from __future__ import annotations

import io
import json
import os
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from frcnn_cli.detection.formats.frcnn import FrcnnWriter, read_frcnn
from frcnn_cli.detection.formats.writer import WriterContext
from frcnn_cli.errors import DataError
from frcnn_cli.records import DetectedImage, Detections
from support.samples import detected, known, sample

CLASSES = ("cat", "dog")


def writer(target):
    return FrcnnWriter(target, WriterContext(CLASSES, "best.safetensors", "vgg16"))


def image(file="a.jpg", *found):
    return DetectedImage(file, 500, 375, 1684, detected(*found), {"decode": 0.01})


def test_the_layout(tmp_path):
    path = tmp_path / "boxes.json"
    with writer(path) as out:
        out.write(image("a.jpg", (2, 0.98, (48.1, 240, 195.3, 371.2))))
        out.write(image("b.jpg"))
    assert json.loads(path.read_text()) == {
        "schema": "frcnn.detections/1",
        "model": {"checkpoint": "best.safetensors", "backbone": "vgg16", "classes": ["cat", "dog"]},
        "images": [
            {
                "file": "a.jpg",
                "width": 500,
                "height": 375,
                "proposals": 1684,
                "seconds": {"decode": 0.01},
                "detections": [
                    {
                        "label": "dog",
                        "category_id": 2,
                        "score": 0.98,
                        "box": [48.1, 240.0, 195.3, 371.2],
                    }
                ],
            },
            {
                "file": "b.jpg",
                "width": 500,
                "height": 375,
                "proposals": 1684,
                "seconds": {"decode": 0.01},
                "detections": [],
            },
        ],
    }


def test_no_images_make_an_empty_list():
    stream = io.StringIO()
    with writer(stream):
        pass
    assert json.loads(stream.getvalue())["images"] == []
    assert not stream.closed


def test_a_new_folder_is_made_and_nothing_else_is_left(tmp_path):
    with writer(tmp_path / "new" / "boxes.json") as out:
        out.write(image())
        assert not (tmp_path / "new" / "boxes.json").exists()
    assert [each.name for each in (tmp_path / "new").iterdir()] == ["boxes.json"]


def test_a_failure_leaves_the_old_file(tmp_path):
    path = tmp_path / "boxes.json"
    path.write_text("old")
    with pytest.raises(RuntimeError, match="lost"), writer(path) as out:
        out.write(image())
        raise RuntimeError("lost")
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_a_link_stays_a_link(tmp_path):
    (tmp_path / "link.json").symlink_to(tmp_path / "boxes.json")
    with writer(tmp_path / "link.json") as out:
        out.write(image())
    assert (tmp_path / "link.json").is_symlink()
    assert (tmp_path / "boxes.json").is_file()


def test_a_device_is_written_and_not_replaced():
    with writer(Path(os.devnull)) as out:
        out.write(image())
    assert not Path(os.devnull).is_file()


@pytest.mark.parametrize("name", ["folder", "file/boxes.json"])
def test_what_cannot_be_written_is_reported(tmp_path, name):
    (tmp_path / "folder").mkdir()
    (tmp_path / "file").touch()
    with pytest.raises(DataError, match="cannot be written"), writer(tmp_path / name):
        pass


def test_odd_file_names_survive(tmp_path):
    names = ["Hündchen.jpg", 'a "b".jpg', os.fsdecode(b"\xff.jpg")]
    with writer(tmp_path / "boxes.json") as out:
        for name in names:
            out.write(image(name))
    read = json.loads((tmp_path / "boxes.json").read_text())
    assert [each["file"] for each in read["images"]] == names


EDGES = st.tuples(*[st.integers(0, 18700)] * 4).map(
    lambda c: (min(c[0], c[2]), min(c[1], c[3]), max(c[0], c[2]), max(c[1], c[3]))
)


@settings(max_examples=50, deadline=None)
@given(st.lists(st.tuples(st.integers(1, 2), st.integers(0, 1000), EDGES), max_size=5))
def test_what_was_written_is_read(tmp_path_factory, rows):
    path = tmp_path_factory.getbasetemp() / "round.json"
    rows.sort(key=lambda row: -row[1])
    wrote = detected(*((k, s / 1000, [edge / 50 for edge in box]) for k, s, box in rows))
    with writer(path) as out:
        out.write(DetectedImage("pictures/a.jpg", 500, 375, 9, wrote))
    read = read_frcnn(path, known([sample("a"), sample("b")], CLASSES))
    assert list(read) == ["a"]
    np.testing.assert_array_equal(read["a"].labels, wrote.labels)
    np.testing.assert_allclose(read["a"].scores, wrote.scores, atol=1e-6)
    np.testing.assert_allclose(read["a"].boxes, wrote.boxes, atol=0.006)


def entry(**changes):
    return {"label": "dog", "score": 0.5, "box": [1, 2, 30, 40], **changes}


def stored(path, *images, **changes):
    path.write_text(json.dumps({"schema": "frcnn.detections/1", "images": images, **changes}))
    return path


def detected_image(*found, **changes):
    return {"file": "a.jpg", "width": 50, "height": 50, "detections": list(found), **changes}


def test_unordered_detections_are_sorted_and_other_keys_ignored(tmp_path):
    rows = [entry(score=0.25), entry(score=0.75, label="cat", colour="red")]
    read = read_frcnn(
        stored(tmp_path / "d.json", detected_image(*rows)), known([sample("a")], CLASSES)
    )
    assert read["a"].scores.tolist() == [0.75, 0.25]
    assert read["a"].labels.tolist() == [1, 2]


@pytest.mark.parametrize(
    ("found", "message"),
    [
        (entry(label="bird"), "unknown class 'bird'; use one of cat, dog"),
        (entry(label="Dog"), "unknown class 'Dog'; write it as 'dog'"),
        (entry(label=2), "label is 2"),
        (entry(score=float("nan")), "score holds nan"),
        (entry(score=True), "score holds True"),
        (entry(score=17), "score is 17.0; use a score between 0 and 1"),
        (entry(box=[1, 2, 3]), "box has 3 numbers"),
        (entry(box=[1, 2, float("inf"), 4]), "box holds inf"),
        (entry(box=[30, 2, 10, 4]), r"box \[30, 2, 10, 4\] ends before it starts"),
        (entry(score=None), "score holds None"),
        (entry(box=[1, 2, 52, 4]), r"lies outside its image of 50×50 pixels"),
        (entry(box="1 2 3 4"), "box is '1 2 3 4'"),
        ({"label": "dog", "box": [1, 2, 3, 4]}, "has no 'score'"),
        (7, "is 7; use an object"),
    ],
)
def test_an_entry_that_cannot_be_is_refused_with_its_place(tmp_path, found, message):
    path = stored(tmp_path / "d.json", detected_image(entry(), found))
    with pytest.raises(DataError, match=message) as caught:
        read_frcnn(path, known([sample("a")], CLASSES))
    assert str(caught.value).startswith(f"{path}: images[0].detections[1]: ")


@pytest.mark.parametrize(
    ("images", "message"),
    [
        ([detected_image(file="c.jpg")], r"images\[0\]: image 'c.jpg' is not in the split"),
        ([detected_image(), detected_image(file="x/a.jpg")], r"images\[1\]: .* is listed twice"),
        ([detected_image(width="50")], "width is '50'"),
        (["a.jpg"], "is 'a.jpg'"),
        ([{"file": "a.jpg"}], "has no 'width'"),
    ],
)
def test_an_image_that_cannot_be_is_refused(tmp_path, images, message):
    with pytest.raises(DataError, match=message):
        read_frcnn(stored(tmp_path / "d.json", *images), known([sample("a")], CLASSES))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "is not JSON"),
        ("{", "is not JSON"),
        ("[1]", "its schema is None"),
        ('{"images": [], "annotations": []}', "holds annotations, not detections; name a file of"),
        ('{"schema": "coco"}', "its schema is 'coco'; name a file of format frcnn.detections/1"),
        ('{"schema": "frcnn.detections/1"}', "has no list of images"),
    ],
)
def test_another_file_is_refused(tmp_path, text, message):
    (tmp_path / "d.json").write_text(text)
    with pytest.raises(DataError, match=message):
        read_frcnn(tmp_path / "d.json", known([sample("a")], CLASSES))


def test_a_missing_file_is_reported(tmp_path):
    with pytest.raises(DataError, match=r"no\.json: cannot be read"):
        read_frcnn(tmp_path / "no.json", known([sample("a")], CLASSES))


def test_an_empty_entry_has_no_detections(tmp_path):
    read = read_frcnn(stored(tmp_path / "d.json", detected_image()), known([sample("a")], CLASSES))
    assert len(read["a"]) == len(Detections.empty()) == 0
