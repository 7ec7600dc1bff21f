"""Every format: what is written is read, what is read is recognised, and nothing is left behind."""

from __future__ import annotations

import io
import tempfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from frcnn_cli.detection.formats.registry import WORDS, open_writer, read_detections, recognise
from frcnn_cli.detection.formats.writer import WriterContext
from frcnn_cli.errors import DataError
from frcnn_cli.evaluation.metrics.voc import evaluate
from support.samples import detected, image, known, sample

CLASSES = ("cat", "dog", "big dog")
SAMPLES = [sample("000012", (1, (10, 10, 60, 60)), (2, (100, 100, 300, 200))), sample("b c")]

HUNDREDTHS = st.tuples(*[st.integers(0, 50000)] * 2, *[st.integers(0, 37500)] * 2).map(
    lambda c: (min(c[:2]) / 100, min(c[2:]) / 100, max(c[:2]) / 100, max(c[2:]) / 100)
)
ROWS = st.lists(
    st.tuples(st.integers(1, 3), st.integers(0, 10**6).map(lambda s: s / 10**6), HUNDREDTHS),
    max_size=6,
    unique_by=lambda row: row[1],
).map(lambda rows: sorted(rows, key=lambda row: -row[1]))


@pytest.mark.parametrize("kind", WORDS)
@settings(max_examples=40, deadline=None)
@given(first=ROWS, second=ROWS)
@example(first=[], second=[(1, 0.0, (0.0, 0.01, 0.0, 0.01))])
def test_what_was_written_is_read(kind, first, second):
    wrote = {"000012": detected(*first), "b c": detected(*second)}
    with tempfile.TemporaryDirectory() as folder:
        target = Path(folder) / "found"
        with open_writer(kind, target, WriterContext(CLASSES)) as writer:
            writer.write(image("x/000012.jpg", *first))
            writer.write(image("x/b c.jpg", *second))
        assert [each.name for each in Path(folder).iterdir()] == ["found"]
        message, read = read_detections(target, known(SAMPLES, CLASSES))
    assert message == kind
    assert {key for key, each in read.items() if len(each)} == {
        key for key, each in wrote.items() if len(each)
    }
    for image_id, each in read.items():
        np.testing.assert_array_equal(each.labels, wrote[image_id].labels)
        np.testing.assert_array_equal(each.scores, wrote[image_id].rounded().scores)
        np.testing.assert_allclose(each.boxes, wrote[image_id].boxes, atol=1e-4, rtol=0)
    ours, theirs = (evaluate(SAMPLES, found, CLASSES) for found in (wrote, read))
    assert ours.mean_ap("voc10") == pytest.approx(theirs.mean_ap("voc10"), abs=1e-12)


@pytest.mark.parametrize("kind", WORDS)
def test_a_failure_leaves_nothing(kind, tmp_path):
    with (
        pytest.raises(RuntimeError, match="lost"),
        open_writer(kind, tmp_path / "found", WriterContext(CLASSES)) as writer,
    ):
        writer.write(image("a.jpg", (1, 0.5, (0, 0, 1, 1))))
        raise RuntimeError("lost")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("kind", ["voc", "yolo"])
def test_a_folder_with_files_is_not_written_to(kind, tmp_path):
    (tmp_path / "mine.txt").touch()
    with (
        pytest.raises(DataError, match="holds files already; name a new folder"),
        open_writer(kind, tmp_path, WriterContext(CLASSES)),
    ):
        pass
    assert [each.name for each in tmp_path.iterdir()] == ["mine.txt"]


@pytest.mark.parametrize("kind", ["voc", "yolo"])
def test_what_cannot_be_written_is_reported(kind, tmp_path):
    (tmp_path / "file").touch()
    with (
        pytest.raises(DataError, match="cannot be written"),
        open_writer(kind, tmp_path / "file" / "new", WriterContext(CLASSES)),
    ):
        pass
    with pytest.raises(DataError, match="a folder of files, not a stream"):
        open_writer(kind, io.StringIO(), WriterContext(CLASSES))


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("d.csv", "a,b", "is not of a known format; name a file or folder of one of: frcnn"),
        ("comp4_det_test_cat.txt", "a 0.5 1 1 2 2", "is one file of many; name its folder"),
        ("d.json", "", "is not of a known format"),
    ],
)
def test_another_file_is_refused(tmp_path, name, text, message):
    (tmp_path / name).write_text(text)
    with pytest.raises(DataError, match=message):
        recognise(tmp_path / name)


def test_another_folder_is_refused(tmp_path):
    with pytest.raises(DataError, match="holds neither"):
        recognise(tmp_path)
    with pytest.raises(DataError, match=r"no\.json: cannot be read"):
        recognise(tmp_path / "no.json")
