"""Data-parallel training: the ranks, what each of them works on, what they exchange.

A process that was started by torch's launcher (`torchrun`) reads its rank from the environment. Any
other process is the only one of its run; then nothing is exchanged and nothing waits.
"""

from __future__ import annotations

import os
import warnings
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Self, TypeVar

import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel

from frcnn_cli.errors import TrainingError

ItemT = TypeVar("ItemT")

_HARMLESS = ("`broadcast_buffers` is deprecated", "Grad strides do not match bucket view strides")
"""Warnings of torch on healthy runs: of an argument that is needed, and of depthwise weights."""
_LAUNCHER_VARIABLES = ("RANK", "WORLD_SIZE", "MASTER_ADDR", "MASTER_PORT")
_EXCHANGE_TIMEOUT = timedelta(days=2)
"""Of sums and objects: the other ranks wait for a region search, which may take so long."""
STEP_TIMEOUT = timedelta(minutes=10)
"""Of gradients: all ranks start a step together."""
HEARTBEAT_TIMEOUT = timedelta(seconds=40)
"""Time after which a rank that takes no part in a heartbeat counts as lost."""


class RankLostError(TrainingError):
    """Another process of the run ended; that one reports why."""


@dataclass(frozen=True)
class DistributedContext:
    """Rank and world size of this process.

    Attributes:
        rank: 0 to `world_size` - 1; rank 0 writes files and prints.
        world_size: number of processes.
        local_rank: rank on this machine, and index of the process's GPU.
        local_world_size: number of processes on this machine.
        group: over which numbers and objects are exchanged; None for a single process.
        heartbeats: group of the threads that watch the ranks; None for a single process.
    """

    rank: int = 0
    world_size: int = 1
    local_rank: int = 0
    local_world_size: int = 1
    group: dist.ProcessGroup | None = None
    heartbeats: dist.ProcessGroup | None = None

    @classmethod
    def from_env(cls) -> Self:
        """Returns what the launcher wrote into the environment; without a launcher, one process."""
        if not started_by_launcher():
            return cls()
        rank, world_size = int(os.environ["RANK"]), int(os.environ["WORLD_SIZE"])
        local_rank = int(os.environ.get("LOCAL_RANK", "0"))
        local_world_size = int(os.environ.get("LOCAL_WORLD_SIZE", "1"))
        return cls(rank, world_size, local_rank, local_world_size)

    @property
    def is_main_process(self) -> bool:
        """Whether this process writes the run's files and prints."""
        return self.rank == 0

    def shard(self, items: Sequence[ItemT]) -> Sequence[ItemT]:
        """Returns this rank's part of `items`: consecutive ones; sizes differ by at most one."""
        first, end = (len(items) * (self.rank + i) // self.world_size for i in (0, 1))
        return items[first:end]

    def all_reduce_sum(self, *values: float) -> list[float]:
        """Returns the sum of each value over all ranks.

        Raises:
            RankLostError: another process ended.
        """
        if self.world_size == 1:
            return list(values)
        total = torch.tensor(values, dtype=torch.float64)
        with report_rank_loss():
            dist.all_reduce(total, group=self.group)
        return [float(value) for value in total.tolist()]

    def all_reduce(self, numbers: Tensor) -> None:
        """Sums a tensor over all ranks, in place; a GPU does so while this process goes on.

        Raises:
            RankLostError: another process ended.
        """
        if self.world_size > 1:
            group = self.group if numbers.device.type == "cpu" else None  # None is NCCL
            with report_rank_loss():
                dist.all_reduce(numbers, group=group)

    def all_gather(self, value: ItemT) -> list[ItemT]:
        """Returns the `value` of every rank, in order of rank.

        Raises:
            RankLostError: another process ended.
        """
        if self.world_size == 1:
            return [value]
        gathered: list[ItemT | None] = [None] * self.world_size
        with report_rank_loss():
            dist.all_gather_object(gathered, value, group=self.group)
        return gathered  # type: ignore[return-value]

    @contextmanager
    def local_main_process_first(self) -> Iterator[None]:
        """Runs the block in the first process of each machine, then in its others.

        What the first process writes to the cache the others read there.
        """
        if self.world_size > 1 and self.local_rank:
            self.all_gather(None)
        yield
        if self.world_size > 1 and not self.local_rank:
            self.all_gather(None)

    def wrap(self, model: nn.Module) -> nn.Module:
        """Returns a module whose backward pass averages gradients over the ranks."""
        if self.world_size == 1:
            return model
        # Buffers are the same everywhere and never change.
        for message in _HARMLESS:
            warnings.filterwarnings("ignore", message)
        return DistributedDataParallel(model, broadcast_buffers=False, gradient_as_bucket_view=True)

    def in_step(self) -> AbstractContextManager[None]:
        """Reports a lost rank as `RankLostError` in a block that averages gradients."""
        return report_rank_loss() if self.world_size > 1 else nullcontext()


SINGLE_PROCESS = DistributedContext()


def started_by_launcher() -> bool:
    """Returns whether torch's launcher started this process."""
    return all(name in os.environ for name in _LAUNCHER_VARIABLES)


@contextmanager
def connected(device: torch.device) -> Iterator[DistributedContext]:
    """Yields this process's context, connected to the others by NCCL (GPUs) or gloo (CPUs)."""
    if not started_by_launcher():
        yield SINGLE_PROCESS
        return
    backend = "cpu:gloo,cuda:nccl" if device.type == "cuda" else "gloo"
    # NCCL would abort a process that lost another one, before the state of the run is saved.
    os.environ.setdefault("TORCH_NCCL_ASYNC_ERROR_HANDLING", "0")
    try:
        dist.init_process_group(backend, timeout=STEP_TIMEOUT)
        group = dist.new_group(backend="gloo", timeout=_EXCHANGE_TIMEOUT)
        heartbeats = dist.new_group(backend="gloo", timeout=HEARTBEAT_TIMEOUT)
    # torch's store raises whatever the answers of another program on its port lead to.
    except (OSError, RuntimeError, ValueError, AttributeError, TypeError, KeyError) as error:
        raise not_connected(error) from error
    assert isinstance(group, dist.ProcessGroup)  # of which all processes are
    assert isinstance(heartbeats, dist.ProcessGroup)
    yield replace(DistributedContext.from_env(), group=group, heartbeats=heartbeats)
    # Not in a finally: after an exception the process ends anyway, and others may be gone.
    dist.destroy_process_group()


def not_connected(error: Exception) -> TrainingError:
    """Returns what a failure to set up the exchange between processes means."""
    what = " ".join(str(error).split())[:200]
    return TrainingError(
        f"the processes cannot be connected ({type(error).__name__}: {what})",
        remedy="another run or program may use their port: give torchrun another --rdzv-endpoint "
        "or --master-port",
    )


@contextmanager
def report_rank_loss() -> Iterator[None]:
    """Turns the errors of a collective operation into `RankLostError`."""
    try:
        yield
    except torch.OutOfMemoryError:
        raise
    except RuntimeError as error:  # gloo's and NCCL's are of no narrower type in common
        raise RankLostError(f"another process of the run ended ({error})") from error
