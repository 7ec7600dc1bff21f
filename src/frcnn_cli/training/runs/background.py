"""Files written while the training goes on."""

from __future__ import annotations

import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from functools import partial
from typing import ParamSpec

P = ParamSpec("P")


class BackgroundWriter:
    """Calls functions one after the other in a thread.

    Attributes:
        seconds: CPU time of the calls since `wait`.
    """

    def __init__(self) -> None:
        self.seconds = 0.0
        self._failed = False
        self._thread = ThreadPoolExecutor(1, "checkpoints")
        self._calls: list[Future[None]] = []

    def submit(self, write: Callable[P, None], *args: P.args, **kwargs: P.kwargs) -> None:
        """Calls `write` after what was submitted before, unless that failed.

        Args:
            write: the function.
            args: its positional arguments.
            kwargs: its keyword arguments.
        """
        self._calls.append(self._thread.submit(self._call, partial(write, *args, **kwargs)))

    def wait(self) -> None:
        """Waits for all calls; raises what a failed one raised."""
        calls, self._calls = self._calls, []
        for call in calls:
            call.result()
        self.seconds = 0.0

    def check(self) -> None:
        """Raises what a call raised, if one has failed by now."""
        if self._failed:
            self.wait()

    def close(self) -> None:
        """Waits as `wait` does, and ends the thread."""
        try:
            self.wait()
        finally:
            self._thread.shutdown()

    def _call(self, write: Callable[[], None]) -> None:
        if self._failed:
            return
        began = time.thread_time()
        try:
            write()
        except BaseException:
            self._failed = True
            raise
        self.seconds += time.thread_time() - began
