"""Pickles of other tools, and of people who mean harm."""

from __future__ import annotations

import io
import os
import pickle
from collections import OrderedDict
from pathlib import Path

import numpy as np
import pytest

from frcnn_cli.errors import DataError
from frcnn_cli.proposals.interchange import read_proposals
from frcnn_cli.proposals.interchange.convention import BoxConvention
from frcnn_cli.proposals.interchange.pickles import load

pytestmark = pytest.mark.usefixtures("read_in_this_process")

BOXES = np.array([[0, 1, 2, 3], [4, 5, 6, 7]], np.float32)


def plain(value, protocol=pickle.DEFAULT_PROTOCOL):
    return load(io.BytesIO(pickle.dumps(value, protocol)))


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_arrays_and_plain_data_come_back_in_every_protocol(protocol):
    value = {
        "boxes": [BOXES, BOXES.T.copy(), np.asfortranarray(BOXES), np.zeros((0, 4))],
        "ids": ["a", 7, np.int64(8), b"bytes", None, True, 1.5],
        "names": np.array(["x", "yz"]),
        "mixed": np.array(["a", 3], dtype=object),
        "more": (OrderedDict(a=1), {1, 2}, frozenset((3,)), bytearray(b"x")),
    }
    back = plain(value, protocol)
    for mine, theirs in zip(back["boxes"], value["boxes"], strict=True):
        np.testing.assert_array_equal(mine, theirs)
        assert mine.dtype == theirs.dtype
    assert list(back["mixed"]) == ["a", 3]
    assert list(back["names"]) == ["x", "yz"]
    assert back["ids"] == value["ids"]
    assert back["more"] == value["more"]


class Runs:
    """Pickles as a call of `function`."""

    def __init__(self, function, *arguments):
        self.call = function, arguments

    def __reduce__(self):
        return self.call


@pytest.mark.parametrize(
    "attack",
    [
        lambda flag: Runs(os.system, f"touch {flag}"),
        lambda flag: Runs(eval, f"open({str(flag)!r}, 'w')"),
        lambda flag: Runs(exec, f"open({str(flag)!r}, 'w')"),
        lambda flag: Runs(open, str(flag), "w"),
        lambda flag: [flag.name, Runs(getattr, "", "join")],
        lambda flag: Runs(np.memmap, str(flag), "u1", "w+", 0, (4,)),
        lambda flag: Runs(np.load, str(flag)),
        lambda flag: {"boxes": [BOXES, [Runs(os.system, f"touch {flag}")]]},
        lambda flag: np.array([Runs(os.system, f"touch {flag}")], dtype=object),
    ],
)
def test_nothing_in_a_pickle_is_run(tmp_path, attack):
    flag = tmp_path / "flag"
    payload = pickle.dumps(attack(flag))
    with pytest.raises(DataError, match="neither an array nor plain data; it was not run"):
        load(io.BytesIO(payload))
    assert not flag.exists()
    file = tmp_path / "boxes.pkl"
    file.write_bytes(payload)
    with pytest.raises(DataError, match=r"boxes\.pkl"):
        read_proposals(file)
    assert not flag.exists()


HAND_WRITTEN = {
    # Names with dots, which protocol 4 looks up step by step.
    "dotted": b"\x80\x04\x8c\x08builtins\x8c\x0bstr.__class__\x93.",
    # numpy.ndarray called directly, to make an array of objects from bytes.
    "ndarray": b"cnumpy\nndarray\n((I1\ntp0\ng0\ntR.",
    # An array of objects from a buffer.
    "buffer": b"cnumpy.core.numeric\n_frombuffer\n(C\x08\x00\x00\x00\x00\x00\x00\x00\x00"
    b"cnumpy\ndtype\n(S'O8'\ntR(I1\ntS'C'\ntR.",
    "persistent": b"Psomewhere\n.",
    "extension": b"\x82\x01.",
    "cut": pickle.dumps([BOXES])[:-9],
    "text": b"hello",
    "empty": b"",
}


@pytest.mark.parametrize("payload", HAND_WRITTEN.values(), ids=HAND_WRITTEN)
def test_hand_written_and_damaged_pickles_are_one_error(payload):
    with pytest.raises(DataError):
        load(io.BytesIO(payload))


def write(path: Path, value) -> Path:
    path.write_bytes(pickle.dumps(value))
    return path


def test_detectron2(tmp_path):
    file = write(
        tmp_path / "d2.pkl",
        {
            "boxes": [BOXES, BOXES[:1]],
            "objectness_logits": [np.array([-1.0, 2.0]), np.array([0.0])],
            "ids": ["000012", 17],
            "bbox_mode": 1,
        },
    )
    found = read_proposals(file)
    assert found.names == ("000012", 17)
    assert found.documented == BoxConvention("xywh", "edges")
    np.testing.assert_array_equal(found.boxes[0], BOXES[::-1])  # by decreasing score


def test_the_box_mode_may_be_detectrons_own_type():
    payload = (
        b"(dS'boxes'\n(lsS'ids'\n(lsS'bbox_mode'\ncdetectron2.structures.boxes\nBoxMode\n(I1\ntRs."
    )
    assert load(io.BytesIO(payload)) == {"boxes": [], "ids": [], "bbox_mode": 1}


def test_mmdetection(tmp_path):
    scored = np.c_[BOXES, [0.1, 0.9]]
    found = read_proposals(write(tmp_path / "mm.pkl", [scored, BOXES[:0]]))
    assert found.names is None
    np.testing.assert_array_equal(found.boxes[0], BOXES[::-1])
    assert found.boxes[1].shape == (0, 4)
    named = read_proposals(write(tmp_path / "mm2.pkl", {"a.jpg": scored}))
    assert named.names == ("a.jpg",)


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (3, "holds a int"),
        ([], "no images"),
        ({"boxes": [BOXES]}, "no ids"),
        ({"boxes": [BOXES], "ids": [1, 2]}, "1 boxes, 2 ids"),
        ({"boxes": [BOXES], "ids": [1], "bbox_mode": 4}, "bbox_mode is 4"),
        ({"boxes": [BOXES], "ids": [1], "scores": [[1.0]]}, "image 1 has"),
        ([BOXES[:, :3]], "image 0 has an array of shape"),
        ([["a", "b"]], "image 0 has"),
        ({"boxes": [BOXES, BOXES], "ids": [1, 1]}, "image 1 is listed twice"),
    ],
)
def test_what_does_not_fit_is_one_error(tmp_path, content, problem):
    with pytest.raises(DataError, match=problem):
        read_proposals(write(tmp_path / "x.pkl", content))
