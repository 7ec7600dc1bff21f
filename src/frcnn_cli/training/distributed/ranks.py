"""Processes that train one model together: who takes what, and what they tell each other.

A process that was started by torch's launcher (`torchrun`) finds its place in the environment; any
other is alone, and nothing here then does anything.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import TypeVar

import torch
import torch.distributed as dist
from torch import nn
from torch.nn.parallel import DistributedDataParallel

from frcnn_cli.errors import TrainingError

ItemT = TypeVar("ItemT")

_PLACE = ("RANK", "WORLD_SIZE", "MASTER_ADDR", "MASTER_PORT")
_PATIENCE = timedelta(days=2)
"""For what processes tell each other: a search of regions, which all wait for, may take so long."""
_STEP_PATIENCE = timedelta(minutes=10)
"""For gradients: they meet in the middle of a step, which all begin together."""


class RankLostError(TrainingError):
    """Another process of the run ended; it tells why."""


@dataclass(frozen=True)
class Ranks:
    """This process's place among those of a run.

    Attributes:
        rank: 0 up to `world` - 1; the first one writes files and talks to people.
        world: processes in all.
        local_rank: place on this machine, and so which GPU.
        local_world: processes on this machine.
        group: by which they tell each other numbers and objects; None where there is but one.
    """

    rank: int = 0
    world: int = 1
    local_rank: int = 0
    local_world: int = 1
    group: dist.ProcessGroup | None = None

    @property
    def is_first(self) -> bool:
        """Whether this process writes the run's files."""
        return self.rank == 0

    def share(self, items: Sequence[ItemT]) -> Sequence[ItemT]:
        """Returns this process's part of `items`: consecutive ones, parts of nearly equal size."""
        first, end = (len(items) * (self.rank + i) // self.world for i in (0, 1))
        return items[first:end]

    def sums(self, *values: float) -> list[float]:
        """Returns the sum of each value over the processes.

        Raises:
            RankLostError: another process ended.
        """
        if self.world == 1:
            return list(values)
        total = torch.tensor(values, dtype=torch.float64)
        with _losses_told():
            dist.all_reduce(total, group=self.group)
        return [float(value) for value in total.tolist()]

    def gather(self, value: ItemT) -> list[ItemT]:
        """Returns every process's `value` in order of rank, in every process.

        Raises:
            RankLostError: another process ended.
        """
        if self.world == 1:
            return [value]
        gathered: list[ItemT | None] = [None] * self.world
        with _losses_told():
            dist.all_gather_object(gathered, value, group=self.group)
        return gathered  # type: ignore[return-value]

    @contextmanager
    def first_goes_ahead(self) -> Iterator[None]:
        """Runs the block on each machine's first process, and then on the others.

        What the first leaves in the cache the others find there.
        """
        if self.world > 1 and self.local_rank:
            self.gather(None)
        yield
        if self.world > 1 and not self.local_rank:
            self.gather(None)

    def wrap(self, model: nn.Module) -> nn.Module:
        """Returns `model` so that its backward pass averages gradients over the processes."""
        if self.world == 1:
            return model
        # Buffers are the same everywhere and never change.
        return DistributedDataParallel(model, broadcast_buffers=False)

    @contextmanager
    def in_step(self) -> Iterator[None]:
        """Tells a lost process from a mistake, in a block in which gradients are averaged."""
        if self.world == 1:
            yield
            return
        with _losses_told():
            yield


ALONE = Ranks()


def started_by_launcher() -> bool:
    """Returns whether this process is one of several, by its environment."""
    return all(name in os.environ for name in _PLACE)


@contextmanager
def connected(device: torch.device) -> Iterator[Ranks]:
    """Yields this process's place, connected to the others by NCCL (GPUs) or gloo (CPUs)."""
    if not started_by_launcher():
        yield ALONE
        return
    backend = "cpu:gloo,cuda:nccl" if device.type == "cuda" else "gloo"
    dist.init_process_group(backend, timeout=_STEP_PATIENCE)
    group = dist.new_group(backend="gloo", timeout=_PATIENCE)
    assert isinstance(group, dist.ProcessGroup)  # of which all processes are
    yield replace(place(), group=group)
    # After an exception the process ends anyway, and others may be gone already.
    dist.destroy_process_group()


def place() -> Ranks:
    """Returns this process's place by its environment."""
    if not started_by_launcher():
        return ALONE
    rank, world = int(os.environ["RANK"]), int(os.environ["WORLD_SIZE"])
    local_rank, local_world = (
        int(os.environ.get(name, default))
        for name, default in (("LOCAL_RANK", "0"), ("LOCAL_WORLD_SIZE", "1"))
    )
    return Ranks(rank, world, local_rank, local_world)


@contextmanager
def _losses_told() -> Iterator[None]:
    try:
        yield
    except torch.OutOfMemoryError:
        raise
    except RuntimeError as error:  # gloo's and NCCL's are of no narrower type in common
        raise RankLostError(f"another process of the run ended ({error})") from error
