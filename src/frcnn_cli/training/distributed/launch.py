"""Runs a command in several processes of this machine with torch's own launcher."""

from __future__ import annotations

import logging
import os
import sys
from collections.abc import Mapping, Sequence

import torch
from torch.distributed.elastic.multiprocessing.api import SignalException
from torch.distributed.elastic.multiprocessing.errors import ChildFailedError, ProcessFailure
from torch.distributed.launcher.api import LaunchConfig, elastic_launch

from frcnn_cli.errors import ConfigError, DeviceError, TrainingError
from frcnn_cli.runtime.cores import share_cores
from frcnn_cli.runtime.device import pick_device, working_gpu
from frcnn_cli.training.distributed.context import DistributedContext, not_connected
from frcnn_cli.training.distributed.watch import LOST

INTERRUPTED = 130


def processes_wanted(gpus: int | None, processes: int | None) -> int:
    """Returns how many processes a command line asks for: one per GPU.

    Raises:
        ConfigError: `processes` is given together with GPUs.
        DeviceError: there are fewer GPUs.
    """
    if processes is not None:
        if gpus != 0:
            raise ConfigError(
                f"--processes {processes} is for the CPU; each GPU has a process of its own",
                remedy="use --gpus N, or --gpus 0 --processes N",
            )
        return processes
    if gpus is None or gpus <= 1:
        return 1
    there = torch.cuda.device_count()
    if gpus > there:
        raise DeviceError(
            f"--gpus {gpus}, but torch sees {there} here", remedy=f"use --gpus {there}"
        )
    return gpus


def device_of(context: DistributedContext, gpus: int | None) -> torch.device:
    """Returns the device of this process, and makes it torch's current one.

    Raises:
        DeviceError: GPUs are requested, but this process has none that works.
    """
    if context.world_size == 1:
        return pick_device(min(gpus, 1) if gpus else gpus)
    if gpus == 0 or (gpus is None and not torch.cuda.is_available()):
        return torch.device("cpu")
    if context.local_rank >= torch.cuda.device_count():
        raise DeviceError(
            f"process {context.local_rank + 1} of this machine has no GPU, torch sees "
            f"{torch.cuda.device_count()}",
            remedy="start fewer, or use --gpus 0",
        )
    device = working_gpu(context.local_rank)
    torch.cuda.set_device(device)
    return device


def run_processes(count: int, words: Sequence[str]) -> int:
    """Runs `frcnn` with `words` in `count` connected processes.

    Returns:
        The exit code that the processes agree on.

    Raises:
        TrainingError: the processes cannot be connected, or one died without a report.
    """
    share_cores(count)
    # Its report on failed processes is long; `code_of` raises a line instead.
    logging.getLogger("torch.distributed.elastic").setLevel(logging.CRITICAL)
    config = LaunchConfig(
        min_nodes=1,
        max_nodes=1,
        nproc_per_node=count,
        run_id=f"frcnn-{os.getpid()}",
        rdzv_backend="c10d",
        rdzv_endpoint="localhost:0",
        local_addr="localhost",
        max_restarts=0,
    )
    try:
        elastic_launch(config, sys.executable)("-m", "frcnn_cli", *words)
    except SignalException:
        return INTERRUPTED  # rank 0 has reported what is kept
    except ChildFailedError as error:
        return code_of(error.failures, count)
    except (OSError, RuntimeError, ValueError, AttributeError, TypeError, KeyError) as error:
        raise not_connected(error) from error
    return 0


def code_of(failures: Mapping[int, ProcessFailure], count: int) -> int:
    """Returns the exit code that all failed processes agree on.

    Raises:
        TrainingError: names the process that died first.
    """
    causes = {rank: each for rank, each in failures.items() if each.exitcode != LOST} or failures
    rank, first = min(causes.items(), key=lambda item: item[1].timestamp)
    if first.exitcode == LOST:
        raise TrainingError(
            f"one of the {count} processes did not answer the others any more",
            remedy="--resume continues; --verbose shows the first error",
        )
    if first.exitcode > 0:
        return first.exitcode  # it has printed why
    raise TrainingError(
        f"process {rank} of {count} ended with {first.signal_name()}, which ended the run",
        remedy="frcnn train --resume continues from the last checkpoint",
    )
