"""Files made to do harm: refused in one line, and nothing in them happens."""

from __future__ import annotations

import json
import os
import pickle
import struct
from pathlib import Path

import numpy as np
import pytest
import safetensors.numpy
import torch

from frcnn_cli.cache.checkpoints import load_checkpoint
from frcnn_cli.config import ModelConfig
from frcnn_cli.data.formats.find import find_dataset
from frcnn_cli.errors import AnnotationError, CheckpointError, DataError
from frcnn_cli.model.build import build_model
from frcnn_cli.training.pretrained import load_initial_weights
from support.datasets import pair, photograph
from support.readers import XML


def refusal(root: Path) -> str:
    """What is said of the photograph a of the VOC XML in `root`."""
    with pytest.raises(AnnotationError) as caught:
        find_dataset(root).reader.read("a")
    return str(caught.value)


@pytest.mark.parametrize(
    "doctype",
    [
        '<!ENTITY a "ha"><!ENTITY b "&a;&a;&a;&a;"><!ENTITY c "&b;&b;&b;&b;">',
        '<!ENTITY c SYSTEM "file:///etc/passwd">',
        '<!ENTITY c SYSTEM "http://127.0.0.1:9/">',
        '<!ENTITY % c SYSTEM "file:///etc/passwd">',
    ],
)
def test_xml_entities(tmp_path: Path, doctype: str) -> None:
    pair(tmp_path, "a", "dog")
    text = f"<!DOCTYPE x [{doctype}]>".encode() + XML.replace(b"dog", b"&c;")
    (tmp_path / "a.xml").write_bytes(text)
    assert "declares XML entities, which annotations never need" in refusal(tmp_path)


@pytest.mark.parametrize("depth", [1_000, 200_000])
def test_xml_that_goes_too_deep(tmp_path: Path, depth: int) -> None:
    pair(tmp_path, "a", "dog")
    (tmp_path / "a.xml").write_bytes(b"<annotation>" + b"<a>" * depth)
    assert "is not XML" in refusal(tmp_path)


@pytest.mark.parametrize("name", ["../b.jpg", "/b.jpg", "..\\b.jpg", "C:\\b.jpg", "x/../../b.jpg"])
def test_paths_out_of_the_folder(tmp_path: Path, name: str) -> None:
    photograph(tmp_path / "b.jpg")
    (tmp_path / "data").mkdir()
    pair(tmp_path / "data", "c", "dog")
    (tmp_path / "data" / "a.xml").write_bytes(XML.replace(b"a.png", name.encode()))
    assert "has no image" in refusal(tmp_path / "data")


@pytest.mark.parametrize("member", ["../a", "/etc/a", "..\\a", "a/b", "..", "a\0b"])
def test_lists_with_paths(tmp_path: Path, member: str) -> None:
    pair(tmp_path / "JPEGImages", "a", "dog")
    (tmp_path / "Annotations").mkdir()
    (tmp_path / "JPEGImages" / "a.xml").rename(tmp_path / "Annotations" / "a.xml")
    (tmp_path / "ImageSets" / "Main").mkdir(parents=True)
    (tmp_path / "ImageSets" / "Main" / "train.txt").write_text(f"a\n{member}\n")
    with pytest.raises(DataError, match="which is a path; list names without folders"):
        find_dataset(tmp_path)


def test_a_pipe_among_the_annotations_does_not_hang(tmp_path: Path) -> None:
    pair(tmp_path, "a", "dog")
    os.mkfifo(tmp_path / "b.xml")
    os.mkfifo(tmp_path / "b.jpg")
    assert find_dataset(tmp_path).ids == ("a",)


class Harm:
    """Writes a file where it is unpickled."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[object, ...]:
        return Path.touch, (self.path,)


@pytest.mark.parametrize("ending", [".pth", ".safetensors", ".pt"])
@pytest.mark.parametrize("how", ["pickle", "torch", "torch-old"])
def test_pickles_posing_as_weights(tmp_path: Path, ending: str, how: str) -> None:
    path, made = tmp_path / f"weights{ending}", tmp_path / "made"
    if how == "pickle":
        path.write_bytes(pickle.dumps({"a": Harm(made)}))
    else:
        new = how == "torch"
        torch.save({"a": Harm(made)}, path, _use_new_zipfile_serialization=new)
    with torch.device("meta"):
        model = build_model(ModelConfig(backbone="alexnet"), 2)
    with pytest.raises(CheckpointError) as caught:
        load_initial_weights(model, "alexnet", str(path))
    assert str(caught.value).startswith(f"{path}: ")
    with pytest.raises(CheckpointError):
        load_checkpoint(path)
    assert not made.exists()


def checkpoint(**metadata: str) -> bytes:
    whole = {
        **{"schema": "frcnn.checkpoint/1", "model": "{}", "classes": '["dog"]'},
        **{"input": "{}", "training": "{}"},
    }
    return safetensors.numpy.save({"a": np.zeros(64, np.float32)}, {**whole, **metadata})


def header(**entries: object) -> bytes:
    text = json.dumps(entries).encode()
    return struct.pack("<Q", len(text)) + text


REFUSED = {
    "empty": b"",
    "cut in the header": checkpoint()[:20],
    "cut in the tensors": checkpoint()[:-4],
    "more behind the tensors": checkpoint() + b"1234",
    "a header of exabytes": struct.pack("<Q", 1 << 60) + checkpoint()[8:],
    "a header of gigabytes": struct.pack("<Q", 1 << 32) + checkpoint()[8:],
    "a tensor of terabytes": header(a={"dtype": "F32", "shape": [1 << 40], "data_offsets": [0, 4]}),
    "tensors that overlap": header(
        a={"dtype": "U8", "shape": [4], "data_offsets": [0, 4]},
        b={"dtype": "U8", "shape": [4], "data_offsets": [2, 6]},
    )
    + b"123456",
    "offsets below zero": header(a={"dtype": "U8", "shape": [4], "data_offsets": [-4, 0]}),
    "no JSON": struct.pack("<Q", 4) + b"\xff\xfe\0\0",
    "deep JSON": struct.pack("<Q", 100_000) + b"[" * 100_000,
    "another schema": checkpoint(schema="frcnn.checkpoint/2"),
    "classes of another kind": checkpoint(classes="7"),
    "settings of another kind": checkpoint(model='["vgg16"]'),
    "an unknown setting": checkpoint(model='{"backdoor": 1}'),
    "settings too deep": checkpoint(training="[" * 100_000),
}


@pytest.mark.parametrize("kind", REFUSED)
def test_safetensors_that_are_none(tmp_path: Path, kind: str) -> None:
    path = tmp_path / "best.safetensors"
    path.write_bytes(REFUSED[kind])
    with pytest.raises(CheckpointError) as caught:
        load_checkpoint(path)
    line = str(caught.value)
    assert line.startswith(f"{path}: ")
    assert "; " in line
    assert len(line) < len(str(path)) + 600
