"""The VOC devkit's result files: round trip, its pixels, and what is refused by line."""

from __future__ import annotations

import numpy as np
import pytest

from frcnn_cli.errors import DataError
from frcnn_cli.evaluation.voc_results import format_voc_results, read_voc_results

from .made import detected, sample

CLASSES = ("cat", "dog", "big_dog")
SAMPLES = [sample("000012"), sample("b")]


def test_edges_become_the_devkits_pixels():
    files = format_voc_results({"000012": detected((2, 0.5, (0, 9, 10, 20.5)))}, CLASSES, "test")
    assert files == {
        "comp4_det_test_cat.txt": "",
        "comp4_det_test_dog.txt": "000012 0.500000 1.00 10.00 10.00 20.50\n",
        "comp4_det_test_big_dog.txt": "",
    }


def test_what_was_written_is_read(tmp_path):
    found = {
        "b": detected((3, 0.75, (0, 0, 10, 10)), (1, 0.5, (1, 2, 3, 4)), (1, 0.5, (5, 5, 6, 6))),
        "000012": detected((2, -1.5, (1.25, 2, 3, 4))),
    }
    for name, text in format_voc_results(found, CLASSES, "test").items():
        (tmp_path / name).write_text(text)
    read = read_voc_results(tmp_path, SAMPLES, CLASSES)
    assert read.keys() == found.keys()
    for image_id, expected in found.items():
        np.testing.assert_array_equal(read[image_id].labels, expected.labels)
        np.testing.assert_array_equal(read[image_id].scores, expected.scores)
        np.testing.assert_array_equal(read[image_id].boxes, expected.boxes)


@pytest.mark.parametrize(
    ("line", "told"),
    [
        ("000012 0.5 1 1 10", "line 2: '000012 0.5 1 1 10'; use: image_id score xmin"),
        ("000012 high 1 1 10 10", "line 2: "),
        ("000012 nan 1 1 10 10", "line 2: .* is not finite"),
        ("000012 0.5 10 1 5 10", "line 2: .* ends before it starts"),
        ("000013 0.5 1 1 10 10", "line 2: photograph '000013' is not in the split"),
    ],
)
def test_a_line_that_cannot_be_is_named(tmp_path, line, told):
    path = tmp_path / "comp4_det_test_cat.txt"
    path.write_text(f"b 0.5 1 1 10 10\n{line}\n")
    with pytest.raises(DataError, match=told) as caught:
        read_voc_results(tmp_path, SAMPLES, CLASSES)
    assert str(caught.value).startswith(f"{path}: ")


@pytest.mark.parametrize(
    ("names", "told"),
    [
        ([], r"has no comp4_det_\*_CLASS\.txt"),
        (["comp4_det_test_emu.txt"], "unknown class; known classes are cat, dog, big_dog"),
        (["comp4_det_test_Cat.txt"], "unknown class; write it as 'cat'"),
        (["comp3_det_val_dog.txt", "comp4_det_test_dog.txt"], "as comp3_det_val_dog.txt is"),
    ],
)
def test_a_folder_that_is_unclear_is_refused(tmp_path, names, told):
    for name in names:
        (tmp_path / name).touch()
    with pytest.raises(DataError, match=told):
        read_voc_results(tmp_path, SAMPLES, CLASSES)


def test_a_binary_file_is_told(tmp_path):
    (tmp_path / "comp4_det_test_cat.txt").write_bytes(b"\xff\xfe")
    with pytest.raises(DataError, match="is not text"):
        read_voc_results(tmp_path, SAMPLES, CLASSES)
