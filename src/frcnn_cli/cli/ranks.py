"""The processes of a distributed run, of which one reports what all of them meet.

torch's launcher numbers the processes that it starts.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from contextlib import contextmanager

import typer

_PATIENCE = 60.0
"""Seconds; the launcher ends the other processes of a machine when the first one has ended."""


def is_first() -> bool:
    """Returns whether this process prints, of all processes of its run."""
    return os.environ.get("RANK", "0") == "0"


def leave_to_first(code: int) -> None:
    """Ends this process, unless it is the first of the machine, which meets the same error.

    Args:
        code: exit code.
    """
    if os.environ.get("LOCAL_RANK", "0") != "0":
        # The process that ends first ends the others, maybe before they have printed anything.
        time.sleep(_PATIENCE)
        raise typer.Exit(code)


@contextmanager
def first_reports(error: type[Exception], code: int) -> Iterator[None]:
    """Leaves an error of what all processes were given, such as a missing run, to the first one.

    Args:
        error: its type.
        code: exit code of the other processes.
    """
    try:
        yield
    except error:
        leave_to_first(code)
        raise
