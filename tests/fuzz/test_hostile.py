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
from frcnn_cli.config.file import load_file
from frcnn_cli.data.formats.find import find_dataset
from frcnn_cli.data.images import image_size
from frcnn_cli.detection.formats.context import SplitIndex
from frcnn_cli.detection.formats.frcnn import SCHEMA
from frcnn_cli.detection.formats.registry import read_detections
from frcnn_cli.errors import AnnotationError, CheckpointError, ConfigError, DataError
from frcnn_cli.model.build import build_model
from frcnn_cli.records import Sample, as_boxes
from frcnn_cli.training.pretrained import load_initial_weights
from support.datasets import pair, write_image
from support.whole_files import XML


def refusal(root: Path) -> str:
    """The error of the image a of the VOC XML in `root`."""
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
    write_image(tmp_path / "b.jpg")
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


def aliases(levels: int) -> str:
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 9)}]" for i in range(1, levels)]
    return "\n".join([*lines, f"train: *a{levels - 1}", "names: [dog]"])


@pytest.mark.parametrize("text", [aliases(9), "names: [dog]\ntrain: &a [*a]\n"])
def test_yaml_whose_aliases_explode(tmp_path: Path, text: str) -> None:
    write_image(tmp_path / "images" / "a.png")
    (tmp_path / "data.yaml").write_text(text)
    with pytest.raises(DataError, match=r"is not YAML \(") as caught:
        find_dataset(tmp_path)
    assert len(str(caught.value)) < len(str(tmp_path)) + 400


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("\n".join(f"{'a.' * 200}b{i} = 1" for i in range(1000)), "has more than 64,000 bytes"),
        ("a = " + "[" * 20_000, "is not TOML"),
        ("[train]\n" + f"lr = '{'x' * 60_000}'", "lr is 'x"),
        (f"{'x' * 60_000} = 1", "unknown section 'x"),
    ],
    ids=["dotted keys", "deep", "a long value", "a long key"],
)
def test_settings_that_no_person_writes(tmp_path: Path, text: str, problem: str) -> None:
    (tmp_path / "frcnn.toml").write_text(text)
    with pytest.raises(ConfigError, match=problem) as caught:
        load_file(tmp_path / "frcnn.toml")
    assert len(str(caught.value)) < len(str(tmp_path)) + 2500


HUGE = 1 << 400
NESTED: list[object] = []
for _ in range(900):
    NESTED = [NESTED]


@pytest.mark.parametrize("value", ["x" * 2_000_000, HUGE, -HUGE, NESTED, {"a": [0] * 100_000}])
@pytest.mark.parametrize("key", ["image_id", "category_id", "bbox", "score"])
def test_a_detection_with_a_value_that_cannot_be(tmp_path: Path, key: str, value: object) -> None:
    write_image(tmp_path / "a.png")
    none = as_boxes([])
    sample = Sample("a", tmp_path / "a.png", none, np.zeros(0, np.int64), np.zeros(0, bool))
    rows = [{"image_id": "a", "category_id": 1, "bbox": [1, 2, 3, 4], "score": 0.5, key: value}]
    boxes = [
        {
            "label": "dog",
            "score": 0.5,
            "box": [1, 2, 3, 4],
            **({key: value} if key == "score" else {"box": [value] * 4}),
        }
    ]
    ours = {
        "schema": SCHEMA,
        "images": [{"file": "a.png", "width": 9, "height": 9, "detections": boxes}],
    }
    index = SplitIndex([sample], ["dog"], image_size)
    for document in (rows, ours):
        path = tmp_path / "boxes.json"
        path.write_text(json.dumps(document))
        with pytest.raises(DataError) as caught:
            read_detections(path, index)
        assert str(caught.value).startswith(f"{path}: ")
        assert len(caught.value.problem) < 2100
