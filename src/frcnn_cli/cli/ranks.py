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


@contextmanager
def first_reports(*errors: type[Exception], code: int) -> Iterator[None]:
    """Leaves `errors` to the first process of the machine, which meets the same.

    Args:
        errors: of what all processes were given, such as a wrong option.
        code: exit code of the other processes.
    """
    try:
        yield
    except errors as error:
        if os.environ.get("LOCAL_RANK", "0") == "0":
            raise
        # The process that ends first ends the others, maybe before they have printed anything.
        time.sleep(_PATIENCE)
        raise typer.Exit(code) from error
