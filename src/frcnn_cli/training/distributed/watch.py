"""Heartbeats between the ranks of a run, for a rank that dies or stops in the middle of a step.

gloo reports a process that ended, whose connection is closed, and waits for one that hangs; NCCL's
kernels on a GPU wait for either. So a thread per rank takes part in a small sum every few seconds,
which fails where another rank takes no part in it.
"""

from __future__ import annotations

import logging
import os
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import NoReturn

import torch
import torch.distributed as dist

from frcnn_cli.training.distributed.context import DistributedContext

LOST = 75
"""Exit code of a process that ends because another one ended."""
HEARTBEAT_SECONDS = 5.0
"""Pause between two heartbeats."""
GRACE_SECONDS = 5.0
"""Seconds in which the main thread may notice the same and end by itself."""
_LOGGER = logging.getLogger(__name__)


@contextmanager
def watched(context: DistributedContext, on_loss: Callable[[], None]) -> Iterator[None]:
    """Ends this process with exit code `LOST` if another rank dies or stops in the block.

    Only where the main thread does not leave the block soon after, as it may wait for ever.

    Args:
        context: rank and world size; a single process is not watched.
        on_loss: called before, in another thread.
    """
    if context.heartbeats is None:
        yield
        return
    over = threading.Event()
    thread = threading.Thread(target=_watch, args=(context, on_loss, over), daemon=True)
    thread.start()
    try:
        yield
    finally:
        over.set()
    thread.join()  # not after an error: others may still be in the block


def _watch(context: DistributedContext, on_loss: Callable[[], None], over: threading.Event) -> None:
    try:
        ended = torch.zeros(1)
        while ended < context.world_size:
            over.wait(HEARTBEAT_SECONDS)
            ended.fill_(over.is_set())
            dist.all_reduce(ended, group=context.heartbeats)
    except RuntimeError as error:
        if over.wait(GRACE_SECONDS):
            return
        _LOGGER.debug("%s", error)
        _LOGGER.warning("another process of the run ended or stopped, which ends this one")
        try:
            on_loss()
        finally:
            end_process()


def end_process() -> NoReturn:
    """Ends this process with `LOST` at once: a GPU that waits for a lost rank would keep it."""
    logging.shutdown()
    if sys.stderr.isatty():
        sys.stderr.write("\x1b[?25h")  # the cursor, which progress bars hide
    for stream in (sys.stdout, sys.stderr):
        stream.flush()
    os._exit(LOST)
