"""Checkpoints: weights in safetensors, with all that is needed to use them as metadata."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

import safetensors
import safetensors.torch
from torch import Tensor

from frcnn_cli.cache.store import atomic_file
from frcnn_cli.config import InputConfig, ModelConfig, override
from frcnn_cli.errors import CacheError, CheckpointError, ConfigError

SCHEMA = "frcnn.checkpoint/1"

ValueT = TypeVar("ValueT")


@dataclass(frozen=True)
class CheckpointInfo:
    """What a checkpoint says of itself.

    Attributes:
        model: the network.
        classes: the names; label k is `classes[k - 1]`.
        input: the size of the photographs it expects.
        training: whatever the run wants kept: recipe, data set, step, metrics; JSON values.
    """

    model: ModelConfig
    classes: tuple[str, ...]
    input: InputConfig
    training: Mapping[str, Any] = field(default_factory=dict)


def save_checkpoint(path: Path, tensors: Mapping[str, Tensor], info: CheckpointInfo) -> None:
    """Writes a checkpoint, all of it or none of it.

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
    payload = safetensors.torch.save(
        {name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()}, metadata
    )
    try:
        with atomic_file(path) as stream:
            stream.write(payload)
    except OSError as error:
        raise CacheError(
            f"cannot be written ({error.strerror})",
            remedy="make room, or mend its permissions",
            file=path,
        ) from error


def load_checkpoint(path: Path) -> tuple[dict[str, Tensor], CheckpointInfo]:
    """Reads a checkpoint.

    Raises:
        CheckpointError: the file is missing, damaged or no checkpoint of this project.
    """
    tensors, metadata = read_safetensors(path)
    if metadata.get("schema") != SCHEMA:
        raise CheckpointError(
            f"is no frcnn checkpoint (schema {metadata.get('schema')!r}, not {SCHEMA!r})",
            remedy="name a file that frcnn train wrote, such as .frcnn/runs/NAME/best.safetensors",
            file=path,
        )
    try:
        info = CheckpointInfo(
            override(ModelConfig(), _value(metadata, "model", dict)),
            tuple(str(name) for name in _value(metadata, "classes", list)),
            override(InputConfig(), _value(metadata, "input", dict)),
            _value(metadata, "training", dict),
        )
    except (KeyError, ValueError, RecursionError, ConfigError) as error:
        raise CheckpointError(
            f"has unusable metadata ({error})", remedy="train or copy it again", file=path
        ) from error
    return tensors, info


def _value(metadata: Mapping[str, str], name: str, kind: type[ValueT]) -> ValueT:
    """Returns the JSON value `name` of a checkpoint, which is of a kind."""
    value = json.loads(metadata[name])
    if not isinstance(value, kind):
        raise ValueError(f"{name} is a {type(value).__name__}, not a {kind.__name__}")
    return value


def read_safetensors(path: Path) -> tuple[dict[str, Tensor], dict[str, str]]:
    """Returns the tensors and the metadata of any safetensors file.

    Raises:
        CheckpointError: the file is missing, damaged or of another format.
    """
    try:
        with safetensors.safe_open(path, framework="pt") as file:
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
            return tensors, file.metadata() or {}
    except FileNotFoundError as error:
        raise CheckpointError(
            "there is no such file", remedy="check the path", file=path
        ) from error
    except (OSError, safetensors.SafetensorError, ValueError) as error:
        raise CheckpointError(
            f"is no whole safetensors file ({error})", remedy="train or copy it again", file=path
        ) from error
