"""Estimate of the time, memory and disk that a run needs, measured on its first step."""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from frcnn_cli.config import OptimizerConfig
from frcnn_cli.errors import CacheError
from frcnn_cli.model.batch import Batch
from frcnn_cli.model.fast_rcnn import FastRCNN
from frcnn_cli.runtime.cores import all_cores
from frcnn_cli.runtime.memory import peak_memory, reset_peak
from frcnn_cli.training.batches.dataset import loaders_for
from frcnn_cli.training.distributed.context import DistributedContext
from frcnn_cli.training.engine.loop import Trainer
from frcnn_cli.training.engine.state import trainer_state

_MOST_KEPT = 1_600_000_000
"""Bytes that malloc and oneDNN keep of what was freed, for images of the same size: 0.7 GB were
measured after 1,600 steps, 1.5 GB after 6,400."""


@dataclass(frozen=True)
class Cost:
    """Time, memory and disk of a run.

    Attributes:
        seconds_a_step: of forward and backward pass, and of the loading that they do not hide.
        steps: number of steps of the run.
        memory: peak number of bytes, of the GPU or else of the machine.
        memory_free: number of bytes; None where it is not known.
        disk: number of bytes of the run's folder while a checkpoint is written.
        disk_free: number of bytes.
    """

    seconds_a_step: float
    steps: int
    memory: int
    memory_free: int | None
    disk: int
    disk_free: int

    @property
    def seconds(self) -> float:
        """Of all steps, without evaluations."""
        return self.seconds_a_step * self.steps


def estimate(
    trainer: Trainer, load: Callable[[], Batch], folder: Path, processes: int = 1, running: int = 1
) -> Cost:
    """Returns the estimate; no weight changes.

    Args:
        trainer: before its first step.
        load: loads this rank's images of that step.
        folder: on the disk that checkpoints will be written to.
        processes: of the run on this machine; they share its memory, but not a GPU's.
        running: how many of them were started, and hold as much memory as this one.
    """
    config, device = trainer.config, trainer.device
    on_cpu = device.type == "cpu"
    load()  # searches missing proposals, which later steps do not
    began = time.perf_counter()
    batch = load()
    loading = time.perf_counter() - began
    reset_peak(device)
    idle = peak_memory(device) or 0
    trainer.measure(batch)  # also allocates and plans what later passes reuse
    passes = trainer.measure(batch)

    gradients = _gradients(trainer.model)
    moments = gradients * (2 if config.optimizer.optimizer == "adamw" else 1)
    state = _bytes(trainer_state(trainer)) + moments

    # A later batch may hold images as large as the settings allow.
    side = max(config.augmentation.short_sides)
    largest = len(batch.images) * side * max(side, config.augmentation.long_side)
    growth = max(largest / sum(image.shape[2] * image.shape[3] for image in batch.images), 1.0)
    activations = round(max((peak_memory(device) or 0) - idle - gradients, 0) * growth)
    if on_cpu:
        activations += min(2 * activations, _MOST_KEPT)
    written = state if on_cpu else 0  # a checkpoint is put together in memory
    needed = idle + moments + max(gradients + activations, written)
    # Images are loaded during the passes: by processes beside a GPU, on a CPU by one of its cores.
    if on_cpu:
        seconds = passes + loading * processes / all_cores()
    else:
        context = DistributedContext(local_world_size=processes)
        seconds = max(passes, loading / loaders_for(device, context))
    return Cost(
        seconds,
        config.schedule.iterations,
        needed * processes if on_cpu else needed,
        _free_memory(device, idle * running),
        disk_needed(trainer.model, config.optimizer),
        _free_disk(folder),
    )


def disk_needed(model: FastRCNN, config: OptimizerConfig) -> int:
    """Returns the bytes of a run's folder while a checkpoint is written.

    Those are resume, last, best, and a temporary copy of the largest.
    """
    weights = _bytes(model.state_dict())
    copies = (2 if config.optimizer == "adamw" else 1) + (1 if config.ema else 0)
    return 4 * weights + 2 * copies * _gradients(model)


def require_disk(model: FastRCNN, config: OptimizerConfig, folder: Path) -> None:
    """Raises if the checkpoints of a new run do not fit on the disk of `folder`.

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
    return shutil.disk_usage(_there(folder)).free


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


def _there(folder: Path) -> Path:
    """Returns the folder, or its nearest parent that exists."""
    return next(each for each in (folder, *folder.absolute().parents) if each.exists())
