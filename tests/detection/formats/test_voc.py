"""The VOC devkit's result files: round trip, its pixels, and what is refused by line."""

from __future__ import annotations

import pytest

from frcnn_cli.detection.formats.voc import VocResultsWriter, read_voc
from frcnn_cli.detection.formats.writer import WriterContext
from frcnn_cli.errors import DataError
from support.samples import image, known, sample

CLASSES = ("cat", "dog", "big_dog")
SAMPLES = [sample("000012"), sample("b")]


def test_edges_become_the_devkits_pixels(tmp_path):
    with VocResultsWriter(tmp_path / "new", WriterContext(CLASSES)) as writer:
        writer.write(image("x/000012.jpg", (2, 0.5, (0, 9, 10, 20.5))))
    assert {path.name: path.read_text() for path in (tmp_path / "new").iterdir()} == {
        "comp4_det_test_cat.txt": "",
        "comp4_det_test_dog.txt": "000012 0.500000 1.00 10.00 10.00 20.50\n",
        "comp4_det_test_big_dog.txt": "",
    }
    assert len(list(tmp_path.iterdir())) == 1


def test_equal_scores_keep_the_files_order_and_any_finite_score_will_do(tmp_path):
    lines = ["b 0.5 2 3 3 4", "b 0.5 6 6 6 6", "b -1.5 1 1 10 10", "a photo 0.75 1 1 10 10"]
    (tmp_path / "comp4_det_test_cat.txt").write_text("\n".join(lines))
    read = read_voc(tmp_path, known([*SAMPLES, sample("a photo")], CLASSES))
    assert read["b"].boxes.tolist() == [[1, 2, 3, 4], [5, 5, 6, 6], [0, 0, 10, 10]]
    assert read["b"].scores.tolist() == [0.5, 0.5, -1.5]
    assert read["a photo"].scores.tolist() == [0.75]


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("000012 0.5 1 1 10", "line 2: '000012 0.5 1 1 10'; use: image_id score xmin"),
        ("000012 high 1 1 10 10", "line 2: "),
        ("000012 nan 1 1 10 10", "line 2: .* is not finite"),
        ("000012 0.5 10 1 5 10", "line 2: .* ends before it starts"),
        ("000012 0.5 10 1 502 10", "line 2: .* lies outside its image of 500×375"),
        ("000013 0.5 1 1 10 10", "line 2: image '000013' is not in the split"),
    ],
)
def test_a_line_that_cannot_be_is_named(tmp_path, line, message):
    path = tmp_path / "comp4_det_test_cat.txt"
    path.write_text(f"b 0.5 1 1 10 10\n{line}\n")
    with pytest.raises(DataError, match=message) as caught:
        read_voc(tmp_path, known(SAMPLES, CLASSES))
    assert str(caught.value).startswith(f"{path}: ")


@pytest.mark.parametrize(
    ("names", "message"),
    [
        ([], r"has no comp4_det_\*_CLASS\.txt"),
        (["comp4_det_test_emu.txt"], "unknown class; known classes are cat, dog, big_dog"),
        (["comp4_det_test_Cat.txt"], "unknown class; write it as 'cat'"),
        (["comp3_det_val_dog.txt", "comp4_det_test_dog.txt"], "as comp3_det_val_dog.txt is"),
    ],
)
def test_a_folder_that_is_unclear_is_refused(tmp_path, names, message):
    for name in names:
        (tmp_path / name).touch()
    with pytest.raises(DataError, match=message):
        read_voc(tmp_path, known(SAMPLES, CLASSES))


def test_a_binary_file_is_refused(tmp_path):
    (tmp_path / "comp4_det_test_cat.txt").write_bytes(b"\xff\xfe")
    with pytest.raises(DataError, match="is not UTF-8 text"):
        read_voc(tmp_path, known(SAMPLES, CLASSES))
