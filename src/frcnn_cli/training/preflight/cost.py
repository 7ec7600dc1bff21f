"""What a run needs of the machine, from trying its first step."""

from __future__ import annotations

import shutil
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import torch

from frcnn_cli.config import AugmentationConfig
from frcnn_cli.model.batch import Batch
from frcnn_cli.training.engine.loop import Trainer
from frcnn_cli.training.engine.state import trainer_state

if sys.platform != "win32":
    import resource

_MOST_KEPT = 1_600_000_000
"""Bytes freed and kept by a process on a CPU: 0.7 GB were seen in 1,600 steps, 1.5 in 6,400."""


@dataclass(frozen=True)
class Cost:
    """What a run needs, estimated from a forward and backward pass of its first step.

    Attributes:
        seconds_a_step: loading and passes.
        steps: of the run.
        memory: bytes at most, of the GPU or else of the machine.
        memory_free: bytes; None where that is not known.
        disk: bytes of the run's folder while a checkpoint is written.
        disk_free: bytes.
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
    trainer: Trainer,
    load: Callable[[], Batch],
    folder: Path,
    processes: int = 1,
    running: int = 1,
) -> Cost:
    """Returns what a run will cost, from trying its first step; nothing is learnt.

    Args:
        trainer: before its first step.
        load: loads this process's photographs of that step.
        folder: on the disk that checkpoints will be written to.
        processes: those of the run on this machine; they share its memory, not a GPU's.
        running: those of them that are there by now, and hold as much as this one.
    """
    load()  # regions that are missing are searched at the first look
    began = time.perf_counter()
    batch = load()
    loading = time.perf_counter() - began
    idle = _memory_in_use(trainer.device)
    trainer.measure(batch)  # the first pass also sets things up
    passes = trainer.measure(batch)
    weights, state = _sizes(trainer)
    gradients = _gradients(trainer)
    activations = max(_peak_memory(trainer.device) - idle - gradients, 0)
    pixels = sum(image.shape[2] * image.shape[3] for image in batch.images)
    growth = max(len(batch.images) * _largest_photograph(trainer.config.augmentation) / pixels, 1.0)
    held = idle + _moments(trainer)
    on_cpu = trainer.device.type == "cpu"
    copied = state if on_cpu else 0  # a checkpoint is put together in memory
    activations = round(activations * growth)
    if on_cpu:  # what was freed stays with malloc and oneDNN, for photographs of the same size
        activations += min(2 * activations, _MOST_KEPT)
    needed = held + max(gradients + activations, copied)
    return Cost(
        loading + passes,
        trainer.config.schedule.iterations,
        needed * processes if on_cpu else needed,
        _free_memory(trainer.device, idle * running),
        2 * state + 2 * weights,
        shutil.disk_usage(_there(folder)).free,
    )


def _sizes(trainer: Trainer) -> tuple[int, int]:
    """Returns the bytes of a checkpoint, and of what resuming needs."""
    weights = sum(tensor.nbytes for tensor in trainer.model.state_dict().values())
    held = sum(tensor.nbytes for tensor in trainer_state(trainer).values())
    return weights, held + _moments(trainer)


def _gradients(trainer: Trainer) -> int:
    return sum(p.nbytes for p in trainer.model.parameters() if p.requires_grad)


def _moments(trainer: Trainer) -> int:
    """Returns the bytes that the optimiser will hold after its first step."""
    return _gradients(trainer) * (2 if trainer.config.optimizer.optimizer == "adamw" else 1)


def _largest_photograph(config: AugmentationConfig) -> int:
    """Returns the pixels of a photograph as large as the recipe lets it be."""
    side = max(config.short_sides)
    return side * max(side, config.long_side)


def _memory_in_use(device: torch.device) -> int:
    """Returns the bytes that the process holds, on the GPU or else in all."""
    if device.type == "cuda":
        torch.cuda.reset_peak_memory_stats(device)
        return torch.cuda.memory_allocated(device)
    statm = Path("/proc/self/statm")
    if sys.platform == "win32" or not statm.exists():
        return _peak_memory(device)
    return int(statm.read_text().split()[1]) * resource.getpagesize()


def _peak_memory(device: torch.device) -> int:
    if device.type == "cuda":
        return torch.cuda.max_memory_allocated(device)
    if sys.platform == "win32":
        return 0  # not known
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit


def _free_memory(device: torch.device, in_use: int) -> int | None:
    """Returns the bytes that this process may come to use."""
    if device.type == "cuda":
        return torch.cuda.mem_get_info(device)[0] + torch.cuda.memory_reserved(device)
    meminfo = Path("/proc/meminfo")
    if not meminfo.exists():
        return None
    lines = dict(line.split(":") for line in meminfo.read_text().splitlines())
    return int(lines["MemAvailable"].split()[0]) * 1024 + in_use


def _there(folder: Path) -> Path:
    """Returns the folder, or the nearest one above it that is there."""
    return next(each for each in (folder, *folder.absolute().parents) if each.exists())
