"""Waits for other processes."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Callable
from typing import Any

_LONGEST = 600.0
"""Seconds of a wait: many times what a busy machine needs, less than pytest-timeout's limit."""


def wait_until(condition: Callable[[], bool], process: subprocess.Popen[Any] | None = None) -> None:
    """Returns once `condition` holds; fails if `process` ends before it does, or after minutes."""
    end = time.monotonic() + _LONGEST
    while not condition():
        assert process is None or process.poll() is None, process.communicate()
        assert time.monotonic() < end, f"waited for {_LONGEST:g} s"
        time.sleep(0.02)
