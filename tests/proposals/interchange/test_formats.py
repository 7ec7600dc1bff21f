"""MATLAB files, NumPy archives and JSON."""

from __future__ import annotations

import json

import numpy as np
import pytest
from scipy.io import savemat

from frcnn_cli.errors import DataError
from frcnn_cli.proposals.interchange import read_proposals
from frcnn_cli.proposals.interchange.convention import BoxConvention

pytestmark = pytest.mark.usefixtures("read_in_this_process")

BOXES = np.array([[1, 2, 3, 4], [5, 6, 7, 8]], np.uint16)


def cells(*values):
    column = np.empty((1, len(values)), object)
    for i, value in enumerate(values):
        column[0, i] = value
    return column


def test_matlab(tmp_path):
    file = tmp_path / "voc.mat"
    images = cells(np.array(["000005"]), np.array(["000007"])).T
    savemat(file, {"boxes": cells(BOXES, BOXES[:1]), "images": images})
    found = read_proposals(file)
    assert found.names == ("000005", "000007")
    assert found.documented == BoxConvention("yxyx", "one")
    np.testing.assert_array_equal(found.boxes[0], BOXES)
    np.testing.assert_array_equal(found.boxes[1], BOXES[:1])
    assert found.boxes[0].dtype == np.float64  # unsigned numbers would wrap round


@pytest.mark.slow
def test_matlab_files_that_cannot_be_read(tmp_path):
    file = tmp_path / "x.mat"
    file.write_bytes(b"MATLAB 7.3 MAT-file, Platform: GLNXA64".ljust(512))
    with pytest.raises(DataError, match=r"x\.mat: is a MATLAB 7\.3 file \(HDF5\); save .* -v7"):
        read_proposals(file)
    file.write_bytes(b"nothing of the kind" * 99)
    with pytest.raises(DataError, match="is not a MATLAB file"):
        read_proposals(file)
    savemat(file, {"boxes": cells(BOXES)})
    with pytest.raises(DataError, match="no variable 'images'"):
        read_proposals(file)
    savemat(file, {"boxes": cells(BOXES), "images": cells("a", "b")})
    with pytest.raises(DataError, match="1 boxes, 2 images"):
        read_proposals(file)


def test_numpy_archive(tmp_path):
    np.savez(tmp_path / "x.npz", **{"images/a.jpg": BOXES, "b": np.zeros((0, 4))})
    found = read_proposals(tmp_path / "x.npz")
    assert found.names == ("images/a.jpg", "b")
    np.testing.assert_array_equal(found.boxes[0], BOXES)
    np.savez(tmp_path / "objects.npz", a=cells("x"))
    (tmp_path / "text.npz").write_text("hello")
    for name in ("objects.npz", "text.npz"):
        with pytest.raises(DataError, match="is not a NumPy archive"):
            read_proposals(tmp_path / name)


def test_coco_results(tmp_path):
    rows = [
        {"image_id": 9, "bbox": [1, 2, 3, 4], "score": 0.1},
        {"image_id": 8, "bbox": [0, 0, 1, 1], "score": 0.5},
        {"image_id": 9, "bbox": [5, 6, 7, 8], "score": 0.9},
    ]
    (tmp_path / "x.json").write_text(json.dumps(rows))
    found = read_proposals(tmp_path / "x.json")
    assert found.names == (9, 8)
    np.testing.assert_array_equal(found.boxes[0], [[5, 6, 7, 8], [1, 2, 3, 4]])
    assert found.documented == BoxConvention("xywh", "edges")
    whole = {"images": [{"id": 9, "file_name": "a.jpg"}], "annotations": rows}
    (tmp_path / "x.json").write_text(json.dumps(whole))
    assert read_proposals(tmp_path / "x.json").names == ("a.jpg", 8)


def test_our_own_json(tmp_path):
    document = {
        "schema": "frcnn.proposal_boxes/1",
        "images": [{"file": "a.jpg", "boxes": [[0, 0, 1, 1]]}, {"file": "b.jpg", "boxes": []}],
    }
    (tmp_path / "x.json").write_text(json.dumps(document))
    found = read_proposals(tmp_path / "x.json")
    assert found.names == ("a.jpg", "b.jpg")
    assert [len(boxes) for boxes in found.boxes] == [1, 0]


@pytest.mark.parametrize("text", ["{", "{}", "[1]", '[{"image_id": 1}]', "3", '{"annotations": 5}'])
def test_json_of_another_kind(tmp_path, text):
    (tmp_path / "x.json").write_text(text)
    with pytest.raises(DataError, match=r"x\.json: (is not JSON|holds neither)"):
        read_proposals(tmp_path / "x.json")


def test_other_endings_and_missing_files(tmp_path):
    with pytest.raises(DataError, match=r"ends in '\.txt'; name a file with \.mat"):
        read_proposals(tmp_path / "x.txt")
    for ending in ("mat", "pkl", "npz", "json"):
        with pytest.raises(DataError, match="cannot be read"):
            read_proposals(tmp_path / f"x.{ending}")
