"""Batches loaded ahead of the steps.

Why not torch's DataLoader: its processes return batches in shared memory, of which a container has
64 MB (the run hung), and the death of one ends the run. A batch is a function of its step, so a
step whose process was killed is loaded again by another one.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator
from contextlib import closing
from multiprocessing.reduction import ForkingPickler
from typing import Any

import torch
from torch import Tensor

from frcnn_cli.errors import FrcnnError, TrainingError
from frcnn_cli.model.batch import Batch
from frcnn_cli.proposals import opencv
from frcnn_cli.runtime.ahead import read_ahead, run_in_order
from frcnn_cli.runtime.process_pool import Lost, TimedOut, Work

_TIME_LIMIT = 600.0
"""Seconds for a batch: a file system that hangs ends the run."""

_Loaded = Batch | FrcnnError
Load = Callable[[int], _Loaded]


def loaded_ahead(
    load: Load, steps: range, workers: int, *, pinned: bool = False
) -> Iterator[_Loaded]:
    """Yields the batch of each step, or why there is none.

    The next batch is always on its way in a thread: decoding mostly runs without the GIL.

    Args:
        load: loads a batch; it can be pickled.
        steps: in order.
        workers: processes that load; 0: the thread itself.
        pinned: whether the batches' memory is pinned, so that a GPU copies it without a wait.
    """
    in_thread: Generator[_Loaded] = (load(step) for step in steps)
    source = _by_processes(load, steps, workers) if workers else in_thread
    yield from read_ahead(_pinned(source) if pinned else source, 1)


def _pinned(source: Generator[_Loaded]) -> Generator[_Loaded]:
    with closing(source):
        for batch in source:
            yield batch.apply(Tensor.pin_memory) if isinstance(batch, Batch) else batch


def _by_processes(load: Load, steps: range, workers: int) -> Generator[_Loaded]:
    with closing(run_in_order(Work(load, _set_up, _TIME_LIMIT), steps, workers)) as batches:
        for step, batch in zip(steps, batches, strict=True):
            yield _lost(step, batch) if isinstance(batch, Lost) else batch


def _lost(step: int, reason: Lost) -> TrainingError:
    if isinstance(reason, TimedOut):
        return TrainingError(
            f"the images of step {step + 1} were not loaded in {reason.seconds:.0f} s",
            remedy="look at the disk or network that holds them, then frcnn train --resume",
        )
    return TrainingError(
        f"loading the images of step {step + 1} ended its process twice ({reason.reason})",
        remedy="free memory on this machine, then frcnn train --resume",
    )


def _set_up() -> None:
    """Sets up a process that loads: one thread, and tensors that return without shared memory."""
    torch.set_num_threads(1)
    opencv.use_one_thread()
    ForkingPickler.register(Tensor, _as_array)


def _as_array(tensor: Tensor) -> tuple[Any, ...]:
    return torch.from_numpy, (tensor.numpy(),)
