"""A step with numbers that were not finite: kept, and gone through again to find the cause."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import safetensors.torch
import torch
from torch import Tensor, nn

from frcnn_cli.cache.checkpoints import CheckpointInfo, read_safetensors
from frcnn_cli.config import ModelConfig, TrainConfig, from_dict
from frcnn_cli.errors import CheckpointError, ConfigError
from frcnn_cli.files import atomic_file
from frcnn_cli.model.batch import Batch
from frcnn_cli.model.build import build_model
from frcnn_cli.model.fast_rcnn import FastRCNN
from frcnn_cli.runtime.device import autocast_for
from frcnn_cli.training.distributed.context import SINGLE_PROCESS
from frcnn_cli.training.engine.forward import Forward
from frcnn_cli.training.engine.step import NotFiniteError, StepInputs, TrainStep, name_of

SCHEMA = "frcnn.replay/1"
_MODEL, _IMAGE, _ROIS = "model.", "image.", "rois."


@dataclass(frozen=True)
class Finding:
    """A tensor that holds numbers that are not finite.

    Attributes:
        photograph: whose; "" for weights and gradients, which are of all.
        tensor: such as "backbone.trunk.conv3_1.0, output".
        nan: numbers in it that are none.
        inf: infinite ones.
        size: all of its numbers.
        largest: magnitude of the finite ones.
    """

    photograph: str
    tensor: str
    nan: int
    inf: int
    size: int
    largest: float


@dataclass(frozen=True)
class Replayed:
    """What came out of a step that was gone through again.

    Attributes:
        step: from 1.
        term: what was not finite then: "classification", "box" or "gradient".
        losses: by photograph, "classification" and "box".
        findings: tensors that are not finite, in the order of the computation: the first is the
            cause, or nearest to it.
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
    path: Path,
    error: NotFiniteError,
    model: FastRCNN,
    info: CheckpointInfo,
    config: TrainConfig,
) -> None:
    """Writes the batch of a failed step, and the weights that it met.

    Raises:
        OSError: the folder cannot be written.
    """
    batch = error.batch
    tensors = {_MODEL + name: tensor for name, tensor in model.state_dict().items()}
    tensors |= {f"{_IMAGE}{i}": image for i, image in enumerate(batch.images)}
    tensors |= {f"{_ROIS}{i}": rois for i, rois in enumerate(batch.rois)}
    tensors |= {"labels": batch.labels, "deltas": batch.deltas}
    about = {
        "step": error.step,
        "term": error.term,
        "first_slot": error.first_slot,
        "photographs": batch.image_ids,
        "classes": info.classes,
        "model": dataclasses.asdict(info.model),
        "train": dataclasses.asdict(config),
    }
    payload = safetensors.torch.save(
        {name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()},
        {"schema": SCHEMA, "about": json.dumps(about)},
    )
    with atomic_file(path) as stream:
        stream.write(payload)


def replay(path: Path, device: torch.device) -> Replayed:
    """Goes through a kept step again, photograph by photograph.

    Raises:
        CheckpointError: the file is missing, damaged or no kept step.
    """
    tensors, metadata = read_safetensors(path)
    try:
        if metadata.get("schema") != SCHEMA:
            raise ConfigError(f"its schema is {metadata.get('schema')!r}")
        about = json.loads(metadata["about"])
        config = from_dict(TrainConfig, about["train"])
        model = build_model(from_dict(ModelConfig, about["model"]), len(about["classes"]))
        model.delta_mean = tensors[_MODEL + "delta_mean"]  # of one shape or another
        model.delta_std = tensors[_MODEL + "delta_std"]
        model.load_state_dict(_part(tensors, _MODEL))
        batch = _batch(tensors, tuple(about["photographs"]))
    except (KeyError, TypeError, ValueError, RuntimeError, ConfigError) as error:
        raise CheckpointError(
            f"is no step kept for replay ({error})",
            remedy="name a replay-….safetensors of a run's folder",
            file=path,
        ) from error
    return _go_through(model.to(device), batch.to(device), config, about)


def _go_through(
    model: FastRCNN, batch: Batch, config: TrainConfig, about: Mapping[str, Any]
) -> Replayed:
    """Looks at every tensor between the photographs and the gradients."""
    findings: list[Finding] = []
    losses: dict[str, dict[str, float]] = {}

    def look(photograph: str, name: str, tensor: Tensor | None) -> None:
        if tensor is not None and (finding := _look_at(photograph, name, tensor)):
            findings.append(finding)

    for name, parameter in model.named_parameters():
        look("", f"{name}, weights", parameter)
    model.set_dropout(config.optimizer.dropout)
    forward = Forward(model, autocast_for(batch.labels.device, config.precision), apart=False)
    done = 0
    for place, name in enumerate(batch.image_ids):
        count = len(batch.rois[place])
        rows = slice(done, done + count)
        done += count
        one = Batch(
            (batch.images[place],),
            (batch.rois[place],),
            batch.labels[rows],
            batch.deltas[rows],
            (name,),
        )
        passes = TrainStep(
            forward, config, SINGLE_PROCESS, first_slot=about.get("first_slot", 0) + place
        )
        losses[name] = _compute(passes, one, about["step"] - 1, partial(look, name))
    return Replayed(about["step"], about["term"], losses, tuple(findings))


def _compute(
    passes: TrainStep, batch: Batch, step: int, look: Callable[[str, Tensor | None], None]
) -> dict[str, float]:
    """Computes one photograph; looks at its input, every layer and every gradient."""
    for name, tensor in (
        ("photograph, pixels", batch.images[0]),
        ("regions, corners", batch.rois[0]),
        ("regions, box targets", batch.deltas),
    ):
        look(name, tensor)
    inputs = StepInputs(step, max(len(batch.labels), 1), box_weight=1.0, must_be_finite=False)
    passes.model.train()
    with _outputs_seen(passes.model, look):
        losses = passes(batch, inputs)
    for name, parameter in passes.model.named_parameters():
        look(f"{name}, gradient", parameter.grad)
    return {"classification": losses.classification.item(), "box": losses.box.item()}


@contextmanager
def _outputs_seen(model: nn.Module, look: Callable[[str, Tensor | None], None]) -> Iterator[None]:
    def see(name: str, _: nn.Module, __: Any, output: Any) -> None:
        if isinstance(output, Tensor):
            look(f"{name}, output", output)

    handles = [
        module.register_forward_hook(partial(see, name))
        for name, module in model.named_modules()
        if not any(True for _ in module.children())
    ]
    try:
        yield
    finally:
        for handle in handles:
            handle.remove()


def _look_at(photograph: str, name: str, tensor: Tensor) -> Finding | None:
    values = tensor.detach().float()
    finite = values.isfinite()
    if finite.all():
        return None
    largest = values[finite].abs().max().item() if finite.any() else 0.0
    nan, inf = int(values.isnan().sum()), int(values.isinf().sum())
    return Finding(photograph, name, nan, inf, values.numel(), largest)


def _batch(tensors: Mapping[str, Tensor], names: tuple[str, ...]) -> Batch:
    return Batch(
        tuple(tensors[f"{_IMAGE}{i}"] for i in range(len(names))),
        tuple(tensors[f"{_ROIS}{i}"] for i in range(len(names))),
        tensors["labels"],
        tensors["deltas"],
        names,
    )


def _part(tensors: Mapping[str, Tensor], prefix: str) -> dict[str, Tensor]:
    return {n.removeprefix(prefix): t for n, t in tensors.items() if n.startswith(prefix)}
