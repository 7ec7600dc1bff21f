"""Child processes: their environment, and how they ended."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager

_SAFE_PATH = "PYTHONSAFEPATH"


def exit_reason(code: int) -> str:
    """Returns how a process with an exit code ended: "SIGSEGV", or "exit code 3"."""
    return signal.Signals(-code).name if -code in set(signal.Signals) else f"exit code {code}"


def import_nothing_from_here() -> None:
    """Keeps all later child processes from importing modules of the working directory.

    Python puts it first in the path of `python -m` and `python -c`, so a `numpy.py` in a folder of
    images would be run.
    """
    os.environ[_SAFE_PATH] = "1"


@contextmanager
def safe_path() -> Iterator[None]:
    """Does so for the child processes that are started in the block."""
    before = os.environ.get(_SAFE_PATH)
    import_nothing_from_here()
    try:
        yield
    finally:
        if before is None:
            del os.environ[_SAFE_PATH]
        else:
            os.environ[_SAFE_PATH] = before
