"""Checkpoints: safetensors with all that is needed to use them."""

from __future__ import annotations

import dataclasses
import json
import pickle
from pathlib import Path

import pytest
import safetensors.torch
import torch

from frcnn_cli.cache.checkpoints import (
    CheckpointInfo,
    calibrate,
    load_checkpoint,
    read_safetensors,
    read_tiles,
    save_checkpoint,
    write_safetensors,
)
from frcnn_cli.config import InputConfig, ModelConfig
from frcnn_cli.errors import CacheError, CheckpointError
from frcnn_cli.records import Calibration, OperatingPoint

INFO = CheckpointInfo(
    ModelConfig(backbone="alexnet", pool="roi_align"),
    ("cat", "dog"),
    InputConfig(480, 800),
    {"step": 12, "split": "trainval"},
)


def test_round_trip(tmp_path: Path) -> None:
    tensors = {"a": torch.randn(3, 4), "b": torch.ones(2, dtype=torch.float16)}
    save_checkpoint(tmp_path / "x.safetensors", tensors, INFO)
    loaded, info = load_checkpoint(tmp_path / "x.safetensors")
    assert info == INFO
    assert loaded.keys() == tensors.keys()
    assert all(torch.equal(loaded[name], tensors[name]) for name in tensors)


def test_calibration_is_kept_and_replaced(tmp_path: Path) -> None:
    calibration = Calibration(1.5, -0.25, OperatingPoint(0.312, 0.7, 0.6), "val", 30)
    path = tmp_path / "x.safetensors"
    save_checkpoint(path, {"a": torch.ones(2)}, dataclasses.replace(INFO, calibration=calibration))
    assert load_checkpoint(path)[1].calibration == calibration
    calibrate(path, path, None)
    assert load_checkpoint(path)[1] == INFO
    _, metadata = read_safetensors(path)
    for damage in (
        '{"slope": -1}',
        "[]",
        json.dumps(dataclasses.asdict(calibration) | {"slope": 0}),
    ):
        write_safetensors(path, {}, {**metadata, "calibration": damage})
        with pytest.raises(CheckpointError, match="has unusable metadata"):
            load_checkpoint(path)


def test_tiles_are_kept_and_checked(tmp_path: Path) -> None:
    path = tmp_path / "x.safetensors"
    save_checkpoint(path, {}, INFO)
    assert "tiles" not in read_safetensors(path)[1]
    save_checkpoint(path, {}, dataclasses.replace(INFO, tiles=640))
    assert load_checkpoint(path)[1].tiles == read_tiles(path) == 640
    _, metadata = read_safetensors(path)
    for damage in ("3", "-640", "[]", "640.5", "x", '"640"', "1e400"):
        write_safetensors(path, {}, {**metadata, "tiles": damage})
        with pytest.raises(CheckpointError, match="has unusable metadata"):
            load_checkpoint(path)


def test_equal_contents_make_equal_bytes(tmp_path: Path) -> None:
    """Metadata of many keys: any order left to chance would show."""
    metadata = {f"key {i}": f"värde {i}" for i in range(40)}
    tensors = {f"layer {i}": torch.full((i,), float(i)) for i in range(20)}
    files = [tmp_path / name for name in ("one", "other")]
    write_safetensors(files[0], tensors, metadata)
    backwards = dict(reversed(metadata.items()))
    write_safetensors(files[1], dict(reversed(tensors.items())), backwards)
    assert files[0].read_bytes() == files[1].read_bytes()
    found, read = read_safetensors(files[0])
    assert metadata.items() <= read.items()
    assert all(torch.equal(found[name], tensor) for name, tensor in tensors.items())


def test_channels_last_weights_are_written(tmp_path: Path) -> None:
    weight = torch.randn(4, 3, 5, 5).contiguous(memory_format=torch.channels_last)
    save_checkpoint(tmp_path / "x.safetensors", {"w": weight}, INFO)
    assert torch.equal(load_checkpoint(tmp_path / "x.safetensors")[0]["w"], weight)


def test_weights_that_are_not_finite_are_named(tmp_path: Path) -> None:
    path = tmp_path / "x.safetensors"
    save_checkpoint(path, {"a": torch.ones(2), "b": torch.tensor([1.0, torch.nan])}, INFO)
    with pytest.raises(CheckpointError, match="tensor b has 1 of 2 values that are not finite"):
        load_checkpoint(path)


@pytest.mark.parametrize("dtype", [torch.float8_e4m3fn, torch.complex64, torch.uint16])
def test_weights_of_types_that_networks_do_not_have_are_named(
    tmp_path: Path, dtype: torch.dtype
) -> None:
    path = tmp_path / "x.safetensors"
    save_checkpoint(path, {}, INFO)
    _, metadata = read_safetensors(path)
    del metadata["frcnn.sha256"]
    safetensors.torch.save_file({"fc.weight": torch.zeros(2).to(dtype)}, path, metadata)
    name = str(dtype).removeprefix("torch.")
    with pytest.raises(CheckpointError, match=f"fc.weight has the type {name}; save it as"):
        load_checkpoint(path)


def test_a_missing_file(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match=r"gone\.safetensors: there is no such file"):
        load_checkpoint(tmp_path / "gone.safetensors")


def test_a_truncated_file(tmp_path: Path) -> None:
    path = tmp_path / "x.safetensors"
    save_checkpoint(path, {"a": torch.randn(100)}, INFO)
    path.write_bytes(path.read_bytes()[:-50])
    with pytest.raises(CheckpointError, match="is not a complete safetensors file"):
        load_checkpoint(path)


def test_a_pickle_is_refused_and_not_run(tmp_path: Path) -> None:
    path, trace = tmp_path / "x.safetensors", tmp_path / "trace"

    class Bomb:
        def __reduce__(self):
            return (Path.touch, (trace,))

    path.write_bytes(pickle.dumps(Bomb()))
    with pytest.raises(CheckpointError, match="is not a complete safetensors file"):
        load_checkpoint(path)
    assert not trace.exists()


def test_safetensors_of_others(tmp_path: Path) -> None:
    path = tmp_path / "x.safetensors"
    safetensors.torch.save_file({"a": torch.zeros(1)}, path)
    with pytest.raises(CheckpointError, match="is not a frcnn checkpoint"):
        load_checkpoint(path)


def test_metadata_from_the_future(tmp_path: Path) -> None:
    path = tmp_path / "x.safetensors"
    info = dataclasses.replace(INFO, model=dataclasses.replace(INFO.model))
    object.__setattr__(info.model, "backbone", "resnet99")  # which this version refuses to build
    save_checkpoint(path, {"a": torch.zeros(1)}, info)
    with pytest.raises(CheckpointError, match="backbone is 'resnet99'"):
        load_checkpoint(path)


def test_a_folder_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(CacheError, match="cannot be written"):
        save_checkpoint(tmp_path / "no" / "x.safetensors", {"a": torch.zeros(1)}, INFO)
