"""Checkpoints: weights in safetensors, with everything needed to use them as metadata."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

import safetensors
import torch
from torch import Tensor

from frcnn_cli.cache.store import translate_os_errors
from frcnn_cli.config import InputConfig, ModelConfig, ProposalConfig, from_dict
from frcnn_cli.decoding import decode_json
from frcnn_cli.errors import CheckpointError, ConfigError
from frcnn_cli.files import advice_on_missing, atomic_file
from frcnn_cli.records import Calibration

SCHEMA = "frcnn.checkpoint/1"
_SCHEMA = re.compile(r"frcnn\.checkpoint/([0-9]{1,9})")
_SUM = "frcnn.sha256"
"""Metadata: the checksum of all tensors and of the other metadata."""

_DTYPES = {
    **{torch.float64: "F64", torch.float32: "F32", torch.float16: "F16", torch.bfloat16: "BF16"},
    **{torch.int64: "I64", torch.int32: "I32", torch.uint8: "U8", torch.bool: "BOOL"},
}

ValueT = TypeVar("ValueT")


@dataclass(frozen=True)
class CheckpointInfo:
    """The description that a checkpoint carries.

    Attributes:
        model: the network.
        classes: the names; label k is `classes[k - 1]`.
        input: the size of the images it expects.
        training: other facts about the run: recipe, data set, step, metrics; JSON values.
        calibration: of the scores of voted detections; None leaves scores as they are.
        tiles: side of the windows in which it was trained, `ProposalConfig.tiles`; 0: none.
    """

    model: ModelConfig
    classes: tuple[str, ...]
    input: InputConfig
    training: Mapping[str, Any] = field(default_factory=dict)
    calibration: Calibration | None = None
    tiles: int = 0


def save_checkpoint(path: Path, tensors: Mapping[str, Tensor], info: CheckpointInfo) -> None:
    """Writes a checkpoint, all of it or none of it.

    Args:
        path: the file.
        tensors: the weights by name.
        info: the description to keep with them.

    Raises:
        CacheError: the folder is read-only or full.
    """
    metadata = {
        "schema": SCHEMA,
        "model": json.dumps(dataclasses.asdict(info.model)),
        "classes": json.dumps(info.classes),
        "input": json.dumps(dataclasses.asdict(info.input)),
        "training": json.dumps(info.training),
    }
    if info.calibration is not None:
        metadata["calibration"] = json.dumps(dataclasses.asdict(info.calibration))
    if info.tiles:
        metadata["tiles"] = str(info.tiles)
    write_safetensors(path, tensors, metadata)


def load_checkpoint(path: Path) -> tuple[dict[str, Tensor], CheckpointInfo]:
    """Reads a checkpoint.

    Raises:
        CheckpointError: the file is missing, damaged or not a frcnn checkpoint, or a weight is NaN
            or infinite.
    """
    tensors, metadata = read_safetensors(path)
    if is_of_later_version(metadata):
        raise CheckpointError(
            f"was written by a later frcnn ({metadata['schema']}, this one knows {SCHEMA})",
            remedy="upgrade frcnn",
            file=path,
        )
    if metadata.get("schema") != SCHEMA:
        raise CheckpointError(
            f"is not a frcnn checkpoint (schema {metadata.get('schema')!r}, not {SCHEMA!r})",
            remedy="name a file that frcnn train wrote, such as .frcnn/runs/NAME/best.safetensors",
            file=path,
        )
    try:
        info = CheckpointInfo(
            from_dict(ModelConfig, _value(metadata, "model", dict)),
            tuple(str(name) for name in _value(metadata, "classes", list)),
            from_dict(InputConfig, _value(metadata, "input", dict)),
            _value(metadata, "training", dict),
            decode_json(metadata["calibration"], Calibration)
            if "calibration" in metadata
            else None,
            ProposalConfig(tiles=decode_json(metadata.get("tiles", "0"))).tiles,
        )
    except (KeyError, ValueError, ConfigError) as error:
        raise damaged(path, f"has unusable metadata ({error})") from error
    require_finite(tensors, path)
    return tensors, info


def calibrate(source: Path, target: Path, calibration: Calibration | None) -> None:
    """Writes the checkpoint `source` as `target` with another calibration; they may be one file.

    Args:
        source: a checkpoint.
        target: the file to write.
        calibration: of the scores; None removes it.

    Raises:
        CheckpointError: `source` is missing, damaged or not a frcnn checkpoint.
        CacheError: the folder of `target` is read-only or full.
    """
    tensors, info = load_checkpoint(source)
    save_checkpoint(target, tensors, dataclasses.replace(info, calibration=calibration))


def require_finite(tensors: Mapping[str, Tensor], file: str | Path) -> None:
    """Raises if a weight is NaN or infinite, or of a type that networks do not have.

    Raises:
        CheckpointError: a weight is NaN or infinite, or complex or of 8 bits.
    """
    for name, tensor in tensors.items():
        if tensor.dtype not in _DTYPES:
            kind = str(tensor.dtype).removeprefix("torch.")
            raise CheckpointError(
                f"tensor {name} has the type {kind}", remedy="save it as float32", file=file
            )
        bad = tensor.numel() - int(tensor.isfinite().sum())
        if bad:
            raise CheckpointError(
                f"tensor {name} has {bad:,} of {tensor.numel():,} values that are not finite",
                remedy="use an earlier checkpoint",
                file=file,
            )


def _value(metadata: Mapping[str, str], name: str, kind: type[ValueT]) -> ValueT:
    """Returns the JSON value `name` of a checkpoint; raises ValueError if it is of another type."""
    value = decode_json(metadata[name])
    if not isinstance(value, kind):
        raise ValueError(f"{name} is a {type(value).__name__}, not a {kind.__name__}")
    return value


def read_training_facts(path: Path) -> dict[str, Any]:
    """Returns the `training` of a checkpoint from its header alone; {} where it cannot be read."""
    return _from_header(path, "training", dict[str, Any]) or {}


def read_classes(path: Path) -> tuple[str, ...]:
    """Returns the classes of a checkpoint from its header alone; () where it cannot be read."""
    return _from_header(path, "classes", tuple[str, ...]) or ()


def read_model(path: Path) -> ModelConfig | None:
    """Returns the network of a checkpoint from its header alone; None where it cannot be read."""
    saved = _from_header(path, "model", dict[str, Any])
    try:
        return None if saved is None else from_dict(ModelConfig, saved)
    except ConfigError:
        return None


def read_tiles(path: Path) -> int:
    """Returns the tiles of a checkpoint from its header alone; 0 where it cannot be read."""
    return _from_header(path, "tiles", int) or 0


def _from_header(path: Path, name: str, kind: type[ValueT]) -> ValueT | None:
    """Returns a value of a checkpoint's metadata; None of any other file."""
    try:
        with safetensors.safe_open(path, framework="pt") as file:
            metadata = file.metadata() or {}
        return decode_json(metadata[name], kind) if metadata.get("schema") == SCHEMA else None
    except (OSError, safetensors.SafetensorError, KeyError, ValueError):
        return None


def is_of_later_version(metadata: Mapping[str, str]) -> bool:
    """Returns whether a later frcnn wrote a checkpoint with this metadata."""
    version = _SCHEMA.fullmatch(metadata.get("schema", ""))
    return version is not None and int(version[1]) > int(SCHEMA.rpartition("/")[2])


def write_safetensors(
    path: Path, tensors: Mapping[str, Tensor], metadata: Mapping[str, str] | None = None
) -> None:
    """Writes a safetensors file with a checksum of its tensors, all of it or none of it.

    Equal tensors and metadata make equal bytes.

    Args:
        path: the file.
        tensors: tensors by name.
        metadata: texts by name.

    Raises:
        CacheError: the folder is read-only or full.
    """
    ours = {name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()}
    described = dict(metadata or {})
    described[_SUM] = _sum_of(ours, described)
    # Not by the library, whose header varies in order, and which makes a second copy in memory.
    # The file is a length of 8 bytes, a JSON header padded with blanks, and the tensors, aligned.
    header: dict[str, Any] = {"__metadata__": described}
    names = sorted(ours, key=lambda name: (-ours[name].element_size(), name))
    end = 0
    for name in names:
        begin, end = end, end + ours[name].nbytes
        shape, dtype = list(ours[name].shape), _DTYPES[ours[name].dtype]
        header[name] = {"dtype": dtype, "shape": shape, "data_offsets": [begin, end]}
    text = json.dumps(header, sort_keys=True, separators=(",", ":"))
    padded = text.encode("ascii") + b" " * (-len(text) % 8)
    with translate_os_errors(path), atomic_file(path) as stream:
        stream.write(len(padded).to_bytes(8, "little") + padded)
        for name in names:
            stream.write(_bytes_of(ours[name]))


def _bytes_of(tensor: Tensor) -> memoryview:
    """Returns the values of a contiguous tensor."""
    values: memoryview = tensor.reshape(-1).view(torch.uint8).numpy().data
    return values


def read_safetensors(path: Path) -> tuple[dict[str, Tensor], dict[str, str]]:
    """Returns the tensors and the metadata of any safetensors file; a checksum is compared.

    Raises:
        CheckpointError: the file is missing, damaged or of another format.
    """
    try:
        with safetensors.safe_open(path, framework="pt") as file:
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
            metadata: dict[str, str] = file.metadata() or {}
    except FileNotFoundError as error:
        raise CheckpointError(
            "there is no such file", remedy=advice_on_missing(path), file=path
        ) from error
    except (OSError, safetensors.SafetensorError, ValueError) as error:
        raise damaged(path, f"is not a complete safetensors file ({error})") from error
    if _SUM in metadata and metadata[_SUM] != _sum_of(tensors, metadata):
        raise damaged(path, "is damaged: its checksum does not match")
    return tensors, metadata


def damaged(path: Path | str, problem: str) -> CheckpointError:
    """Returns the error about a checkpoint that cannot be used."""
    return CheckpointError(problem, remedy="train or copy it again", file=path)


def _sum_of(tensors: Mapping[str, Tensor], metadata: Mapping[str, str]) -> str:
    """Returns the SHA-256 of names, types, shapes and values, and of the other metadata."""
    others = {name: text for name, text in metadata.items() if name != _SUM}
    forms = {name: [str(t.dtype), list(t.shape)] for name, t in tensors.items()}
    checksum = hashlib.sha256(json.dumps([others, forms], sort_keys=True).encode())
    for name in sorted(tensors):
        checksum.update(_bytes_of(tensors[name]))
    return checksum.hexdigest()
