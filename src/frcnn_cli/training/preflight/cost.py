"""Estimate of the time, memory and disk that a run needs, measured on its first step."""

from __future__ import annotations

import hashlib
import math
import shutil
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from frcnn_cli.config import OptimizerConfig, TrainConfig
from frcnn_cli.errors import CacheError
from frcnn_cli.files import nearest_folder
from frcnn_cli.model.batch import Batch
from frcnn_cli.model.fast_rcnn import FastRCNN
from frcnn_cli.runtime.cores import all_cores
from frcnn_cli.runtime.memory import peak_memory, reset_peak
from frcnn_cli.training.batches.dataset import loaders_for
from frcnn_cli.training.distributed.context import DistributedContext
from frcnn_cli.training.engine.loop import Trainer
from frcnn_cli.training.engine.state import snapshot, trainer_state

_MOST_WRITING = 0.05
"""CPU time of writing checkpoints, as a fraction of the run's time."""
_HASHED = 16 << 20
"""Bytes of a checkpoint that are written in memory to measure how fast a core writes it."""
_MOST_KEPT = 1_600_000_000
"""Bytes that malloc and oneDNN keep of what was freed, for images of the same size: 0.7 GB were
measured after 1,600 steps, 1.5 GB after 6,400."""


@dataclass(frozen=True)
class StepTimes:
    """Seconds of what a step and a checkpoint consist of.

    Attributes:
        loading: CPU time of a batch, which one core loads.
        passes: forward and backward pass, on the device.
        update: optimiser step, gradient clipping and averaging of the weights, on the device.
        copying: of a checkpoint to the CPU, while the training waits.
        writing: CPU time of a checkpoint, which one core writes while the training goes on.
    """

    loading: float
    passes: float
    update: float
    copying: float
    writing: float

    def of_a_step(self, device: torch.device, processes: int) -> float:
        """Returns the time of a step, during which the images of the next one are loaded.

        Beside a GPU, processes load. A CPU's loading thread takes a core from the step.

        Args:
            device: where the passes are computed.
            processes: of the run on this machine; each loads its own images.
        """
        step = self.passes + self.update
        if device.type == "cpu":
            return max(step + self.loading * processes / all_cores(), self.loading)
        loaders = loaders_for(device, DistributedContext(local_world_size=processes))
        return max(step, self.loading / loaders)

    def of_a_checkpoint(self, device: torch.device) -> float:
        """Returns by how much a checkpoint delays the steps; one core writes it."""
        return self.copying + (self.writing / all_cores() if device.type == "cpu" else 0.0)


@dataclass(frozen=True)
class Cost:
    """Time, memory and disk of a run.

    Attributes:
        seconds_per_step: of passes and update, and of the loading that they do not hide.
        steps: number of steps of the run.
        memory: peak number of bytes, of the GPU or else of the machine.
        memory_free: number of bytes; None where it is not known.
        disk: number of bytes of the run's folder while a checkpoint is written.
        disk_free: number of bytes.
        checkpoints: number of checkpoints, without those of evaluations.
        seconds_per_checkpoint: by which a checkpoint delays the steps.
    """

    seconds_per_step: float
    steps: int
    memory: int
    memory_free: int | None
    disk: int
    disk_free: int
    checkpoints: int = 0
    seconds_per_checkpoint: float = 0.0

    @property
    def seconds(self) -> float:
        """Of all steps and checkpoints, without evaluations."""
        return self.seconds_per_step * self.steps + self.seconds_per_checkpoint * self.checkpoints


def checkpoint_spacing(writing: float) -> float:
    """Returns the seconds that pass from one checkpoint to the next at least.

    One that takes long to write is left out where steps are fast.

    Args:
        writing: CPU seconds of a checkpoint.
    """
    return writing / _MOST_WRITING if writing > 1 else 0.0


def count_checkpoints(config: TrainConfig, seconds_per_step: float, writing: float) -> int:
    """Returns how many checkpoints a run writes, without those of evaluations.

    Args:
        config: the training settings.
        seconds_per_step: of a step.
        writing: CPU seconds of a checkpoint.
    """
    every, steps = config.validation.checkpoint_every, config.schedule.iterations
    spacing = checkpoint_spacing(writing)
    between = every * max(1, math.ceil(spacing / (every * seconds_per_step)))
    return -(-steps // between)  # one after the last step too


def estimate(
    trainer: Trainer, load: Callable[[], Batch], folder: Path, processes: int | None = None
) -> Cost:
    """Returns the estimate; no weight changes.

    Args:
        trainer: before its first step.
        load: loads this rank's images of that step.
        folder: on the disk that checkpoints will be written to.
        processes: of the run on this machine, which share its memory, but not a GPU's; None: those
            that were started, each of which holds as much memory as this one.
    """
    config, device, running = trainer.config, trainer.device, trainer.context.local_world_size
    processes = processes or running
    on_cpu = device.type == "cpu"
    load()  # searches missing proposals, which later steps do not
    began = time.perf_counter()
    batch = load()
    loading = time.perf_counter() - began
    reset_peak(device)
    idle = peak_memory(device) or 0
    trainer.measure(batch)  # also allocates and plans what later passes reuse
    passes = trainer.measure(batch)
    peak = peak_memory(device) or 0

    gradients = _gradients(trainer.model)
    moments = gradients * (2 if config.optimizer.optimizer == "adamw" else 1)
    written = _bytes(trainer_state(trainer)) + moments + _bytes(trainer.model.state_dict())
    times = StepTimes(
        loading, passes, trainer.measure_update(), *_measured_checkpoint(trainer, written)
    )
    step = times.of_a_step(device, processes)

    # A later batch may hold images as large as the settings allow.
    side = max(config.augmentation.short_sides)
    largest = len(batch.images) * side * max(side, config.augmentation.long_side)
    growth = max(largest / sum(image.shape[2] * image.shape[3] for image in batch.images), 1.0)
    activations = round(max(peak - idle - gradients, 0) * growth)
    needed = idle + moments + gradients + activations
    if on_cpu:
        needed += min(2 * activations, _MOST_KEPT)
        needed = needed * processes + written  # one process copies it, and then goes on
    return Cost(
        step,
        config.schedule.iterations,
        needed,
        _free_memory(device, idle * running),
        disk_needed(trainer.model, config.optimizer),
        _free_disk(folder),
        count_checkpoints(config, step, times.writing),
        times.of_a_checkpoint(device),
    )


def _measured_checkpoint(trainer: Trainer, size: int) -> tuple[float, float]:
    """Returns the seconds of copying a checkpoint of `size` bytes, and of writing it."""
    weights = trainer.model.state_dict()
    began = time.perf_counter()
    copied = snapshot(weights)
    copying = (time.perf_counter() - began) / _bytes(weights)
    part = b"".join(t.view(-1).view(torch.uint8)[:_HASHED].numpy().data for t in copied.values())
    part = part[:_HASHED]
    began = time.thread_time()
    hashlib.sha256(part)
    bytearray(part)  # as the system copies what is written
    return copying * size, (time.thread_time() - began) / len(part) * size


def disk_needed(model: FastRCNN, config: OptimizerConfig) -> int:
    """Returns the bytes of a run's folder while a checkpoint is written.

    Those are resume, last, best, and a temporary copy of the largest.
    """
    weights = _bytes(model.state_dict())
    copies = (2 if config.optimizer == "adamw" else 1) + (1 if config.ema else 0)
    return 4 * weights + 2 * copies * _gradients(model)


def require_disk(model: FastRCNN, config: OptimizerConfig, folder: Path) -> None:
    """Raises if the checkpoints of a new run do not fit on the disk of `folder`.

    Args:
        model: the network.
        config: how it is trained: an optimiser has a state.
        folder: on the disk in question.

    Raises:
        CacheError: they do not.
    """
    needed, free = disk_needed(model, config), _free_disk(folder)
    if needed > free:
        raise CacheError(
            f"the checkpoints need {needed / 1e6:,.0f} MB, and the disk has {free / 1e6:,.0f} MB "
            "left",
            remedy="make room, or name a --cache-dir on another disk",
            file=folder,
        )


def _gradients(model: FastRCNN) -> int:
    return sum(each.nbytes for each in model.parameters() if each.requires_grad)


def _free_disk(folder: Path) -> int:
    return shutil.disk_usage(nearest_folder(folder)).free


def _bytes(tensors: Mapping[str, Tensor]) -> int:
    return sum(tensor.nbytes for tensor in tensors.values())


def _free_memory(device: torch.device, in_use: int) -> int | None:
    """Returns the number of bytes that this process may come to use."""
    if device.type == "cuda":
        return torch.cuda.mem_get_info(device)[0] + torch.cuda.memory_reserved(device)
    meminfo = Path("/proc/meminfo")
    if not meminfo.exists():
        return None
    lines = dict(line.split(":") for line in meminfo.read_text().splitlines())
    return int(lines["MemAvailable"].split()[0]) * 1024 + in_use
