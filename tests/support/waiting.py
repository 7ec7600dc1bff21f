"""Waits for other processes; pytest-timeout, not a limit of their own, ends waits that fail."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Callable
from typing import Any


def wait_until(condition: Callable[[], bool], process: subprocess.Popen[Any] | None = None) -> None:
    """Returns once `condition` holds; fails if `process` ends before it does."""
    while not condition():
        assert process is None or process.poll() is None, process.communicate()
        time.sleep(0.02)
