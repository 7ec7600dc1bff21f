"""Saves a step whose numbers were not finite, and repeats it to find the first such tensor."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import Any

import msgspec
import torch
from torch import Tensor, nn

from frcnn_cli.cache.checkpoints import CheckpointInfo, read_safetensors, write_safetensors
from frcnn_cli.config import ModelConfig, TrainConfig, from_dict
from frcnn_cli.decoding import decode_json
from frcnn_cli.errors import CheckpointError, ConfigError
from frcnn_cli.model.batch import Batch
from frcnn_cli.model.build import build_model
from frcnn_cli.model.fast_rcnn import FastRCNN
from frcnn_cli.runtime.device import autocast_for
from frcnn_cli.training.distributed.context import SINGLE_PROCESS
from frcnn_cli.training.engine.dropout import set_dropout
from frcnn_cli.training.engine.forward import Forward
from frcnn_cli.training.engine.step import NotFiniteError, StepInputs, TrainStep, name_of

SCHEMA = "frcnn.replay/1"
_MODEL = "model."


@dataclasses.dataclass(frozen=True)
class Finding:
    """A tensor with values that are not finite.

    Attributes:
        image_id: the image's id; "" for weights, which belong to all images.
        tensor: such as "backbone.trunk.conv3_1.0, output".
        nan: number of NaNs.
        inf: number of infinite values.
        size: number of all values.
        largest: largest magnitude of the finite values.
    """

    image_id: str
    tensor: str
    nan: int
    inf: int
    size: int
    largest: float


@dataclasses.dataclass(frozen=True)
class Replayed:
    """The result of a repeated step.

    Attributes:
        step: number of the step, from 1.
        term: what was not finite when it failed: "classification", "box" or "gradient".
        losses: "classification" and "box" by image.
        findings: in the order of the computation: the first one is the cause, or nearest to it.
    """

    step: int
    term: str
    losses: Mapping[str, Mapping[str, float]]
    findings: tuple[Finding, ...]

    @property
    def what(self) -> str:
        """The term in words, such as "box loss"."""
        return name_of(self.term)


def save_replay(
    path: Path, error: NotFiniteError, model: FastRCNN, info: CheckpointInfo, config: TrainConfig
) -> None:
    """Writes the batch and the weights of a failed step.

    Args:
        path: the file.
        error: holds the batch.
        model: with the weights from before the step.
        info: the network and the classes.
        config: the training settings.

    Raises:
        CacheError: the file cannot be written.
    """
    batch = error.batch
    tensors = {_MODEL + name: tensor for name, tensor in model.state_dict().items()}
    tensors |= {f"image.{i}": image for i, image in enumerate(batch.images)}
    tensors |= {f"rois.{i}": rois for i, rois in enumerate(batch.rois)}
    tensors |= {"labels": batch.labels, "deltas": batch.deltas}
    settings = dataclasses.asdict(info.model), dataclasses.asdict(config)
    ids, classes = list(batch.image_ids), list(info.classes)
    saved = _SavedStep(error.step, error.term, error.first_slot, ids, classes, *settings)
    about = json.dumps(msgspec.structs.asdict(saved))
    write_safetensors(path, tensors, {"schema": SCHEMA, "about": about})


def replay(path: Path, device: torch.device) -> Replayed:
    """Repeats a saved step image by image, and looks at every tensor.

    Raises:
        CheckpointError: the file is missing, damaged or not a saved step.
    """
    about, model, batch, config = _load(path)
    model, batch = model.to(device).train(), batch.to(device)
    set_dropout(model, config.optimizer.dropout)
    forward = Forward(model, autocast_for(device, config.precision), apart=False)
    step = TrainStep(forward, config, SINGLE_PROCESS, about.first_slot)
    finder = _Finder(model)
    losses = {}
    for one in _split(batch):
        (finder.image_id,) = one.image_ids
        finder.look("image, pixels", one.images[0])
        finder.look("proposals, corners", one.rois[0])
        finder.look("proposals, box targets", one.deltas)
        inputs = StepInputs(about.step - 1, max(len(one.labels), 1), 1.0)
        found = step(one, inputs)
        losses[finder.image_id] = {
            "classification": found.classification.item(),
            "box": found.box.item(),
        }
        for name, parameter in model.named_parameters():
            finder.look(f"{name}, gradient", parameter.grad)
        step.first_slot += 1  # dropout draws by slot, so that each image drops what it dropped
    return Replayed(about.step, about.term, losses, tuple(finder.findings))


def _load(path: Path) -> tuple[_SavedStep, FastRCNN, Batch, TrainConfig]:
    tensors, metadata = read_safetensors(path)
    try:
        if metadata.get("schema") != SCHEMA:
            raise ConfigError(f"its schema is {metadata.get('schema')!r}")
        about = decode_json(metadata["about"], _SavedStep)
        config = from_dict(TrainConfig, about.train)
        model = build_model(from_dict(ModelConfig, about.model), len(about.classes))
        weights = {n.removeprefix(_MODEL): t for n, t in tensors.items() if n.startswith(_MODEL)}
        # One row for all classes or one per class: load_state_dict wants the shape to be there.
        model.delta_mean, model.delta_std = weights["delta_mean"], weights["delta_std"]
        model.load_state_dict(weights)
        ids = tuple(about.image_ids)
        images, rois = (
            tuple(tensors[f"{kind}.{i}"] for i in range(len(ids))) for kind in ("image", "rois")
        )
        batch = Batch(images, rois, tensors["labels"], tensors["deltas"], ids)
    except (KeyError, TypeError, ValueError, RuntimeError, ConfigError) as error:
        raise CheckpointError(
            f"is not a step saved for replay ({error})",
            remedy="name a replay-….safetensors of a run's folder",
            file=path,
        ) from error
    return about, model, batch, config


def _split(batch: Batch) -> Iterator[Batch]:
    """Yields a batch of each image."""
    counts = [len(rois) for rois in batch.rois]
    rows = zip(torch.split(batch.labels, counts), torch.split(batch.deltas, counts), strict=True)
    parts = zip(batch.images, batch.rois, rows, batch.image_ids, strict=True)
    for image, rois, (labels, deltas), image_id in parts:
        yield Batch((image,), (rois,), labels, deltas, (image_id,))


class _SavedStep(msgspec.Struct):
    """Metadata of a saved step, beside its tensors."""

    step: int
    term: str
    first_slot: int
    image_ids: list[str]
    classes: list[str]
    model: dict[str, Any]
    train: dict[str, Any]


class _Finder:
    """Collects tensors with values that are not finite, from a model's weights and layers on."""

    def __init__(self, model: nn.Module) -> None:
        self.image_id = ""
        self.findings: list[Finding] = []
        for name, parameter in model.named_parameters():
            self.look(f"{name}, weights", parameter)
        for name, module in model.named_modules():
            if not any(True for _ in module.children()):
                module.register_forward_hook(partial(self._look_at_output, name))

    def look(self, name: str, tensor: Tensor | None) -> None:
        """Adds a finding if a value of the tensor is not finite."""
        if tensor is None or tensor.isfinite().all():
            return
        values = tensor.detach().float()
        finite = values[values.isfinite()]
        largest = finite.abs().max().item() if len(finite) else 0.0
        nan, inf = int(values.isnan().sum()), int(values.isinf().sum())
        self.findings.append(Finding(self.image_id, name, nan, inf, values.numel(), largest))

    def _look_at_output(self, name: str, _: nn.Module, __: Any, output: Any) -> None:
        if isinstance(output, Tensor):
            self.look(f"{name}, output", output)
