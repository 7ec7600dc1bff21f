"""YOLO's text files: layout, names of classes, and what is refused by line."""

from __future__ import annotations

import pytest

from frcnn_cli.detection.formats.writer import WriterContext
from frcnn_cli.detection.formats.yolo import YoloResultsWriter, read_yolo
from frcnn_cli.errors import DataError
from support.samples import image, known, sample

CLASSES = ("cat", "dog")
SAMPLES = [sample("a"), sample("b")]


def test_the_layout(tmp_path):
    with YoloResultsWriter(tmp_path / "new", WriterContext(CLASSES)) as writer:
        writer.write(image("x/a.jpg", (2, 0.98, (100, 75, 200, 300)), (1, 0.5, (0, 0, 500, 375))))
        writer.write(image("b.jpg"))
    assert {path.name: path.read_text() for path in (tmp_path / "new").iterdir()} == {
        "classes.txt": "cat\ndog\n",
        "a.txt": "1 0.3 0.5 0.2 0.6 0.980000\n0 0.5 0.5 1 1 0.500000\n",
        "b.txt": "",
    }


def test_two_images_of_one_name_are_not_written_over_each_other(tmp_path):
    with YoloResultsWriter(tmp_path / "new", WriterContext(CLASSES)) as writer:
        writer.write(image("x/a.jpg"))
        with pytest.raises(DataError, match=r"y/a.jpg: would be written as 'a', as x/a.jpg was"):
            writer.write(image("y/a.jpg"))


def test_the_folder_of_a_run_is_read_with_the_data_sets_classes(tmp_path):
    (tmp_path / "labels").mkdir()
    (tmp_path / "labels" / "a.txt").write_text("0 0.5 0.5 0.2 0.4 0.25\n1 0.5 0.5 1 1 0.75\n")
    read = read_yolo(tmp_path, known(SAMPLES, CLASSES))
    assert list(read) == ["a"]
    assert read["a"].labels.tolist() == [2, 1]
    assert read["a"].boxes.tolist() == [[0, 0, 500, 375], [200, 112.5, 300, 262.5]]


def test_names_in_the_folder_win(tmp_path):
    (tmp_path / "classes.txt").write_text("dog\ncat\n")
    (tmp_path / "a.txt").write_text("0 0.5 0.5 1 1 0.75\n")
    assert read_yolo(tmp_path, known(SAMPLES, CLASSES))["a"].labels.tolist() == [2]
    (tmp_path / "classes.txt").write_text("dog\nCat\n")
    with pytest.raises(DataError, match=r"classes.txt: line 2: .*'Cat'; write it as 'cat'"):
        read_yolo(tmp_path, known(SAMPLES, CLASSES))


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("0 0.5 0.5 1 1", r"has no confidence; save confidences too \(save_conf\)"),
        ("0 0.5 0.5 1", "has 4 numbers"),
        ("cat 0.5 0.5 1 1 0.5", "use: class x_centre"),
        ("2 0.5 0.5 1 1 0.5", "is of class 2; classes are 0 to 1"),
        ("0.5 0.5 0.5 1 1 0.5", "is of class 0.5"),
        ("0 0.5 0.5 1 1 nan", "is not finite"),
        ("0 0.5 0.5 1 1 50", "score is 50"),
        ("0 250 180 100 100 0.5", "lies outside its image of 500×375 pixels; use: class"),
        ("0 0.5 0.5 -1 1 0.5", "ends before it starts"),
    ],
)
def test_a_line_that_cannot_be_is_named(tmp_path, line, message):
    path = tmp_path / "a.txt"
    path.write_text(f"0 0.5 0.5 1 1 0.5\n{line}\n")
    with pytest.raises(DataError, match=message) as caught:
        read_yolo(tmp_path, known(SAMPLES, CLASSES))
    assert str(caught.value).startswith(f"{path}: line 2: ")


def test_an_unknown_image_is_reported(tmp_path):
    (tmp_path / "c.txt").write_text("0 0.5 0.5 1 1 0.5\n")
    with pytest.raises(DataError, match=r"c\.txt: image 'c' is not in the split"):
        read_yolo(tmp_path, known(SAMPLES, CLASSES))
