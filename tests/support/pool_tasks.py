"""Tasks of a pool's workers in tests: a module of its own, so that they need no pytest."""

from __future__ import annotations

import logging
import os
import signal
import time


def work(task):
    """Does the task: a number to square, a signal to die of, a file to die of once."""
    if isinstance(task, int):
        return task * task
    kind, value = task
    if kind == "signal":
        os.kill(os.getpid(), value)
    elif kind == "exit":
        os._exit(value)
    elif kind == "once" and not os.path.exists(value):  # noqa: PTH110
        open(value, "w").close()  # noqa: PTH123
        os.kill(os.getpid(), signal.SIGKILL)
    elif kind == "log":
        logging.getLogger("frcnn_cli.far.away").warning("%s was seen", value)
    elif kind == "sleep":
        time.sleep(value)
    return kind


def nothing():
    """Sets nothing up."""


def fail_to_start():
    raise SystemExit(1)


def set_up_slowly():
    time.sleep(1.5)
