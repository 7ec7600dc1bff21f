"""What is installed, which devices there are, and what is wrong with them, with the remedy.

Nothing that may be broken is imported here: each part is tried in a process of its own (`probes`),
so that a package that cannot be imported, or crashes, is a line of the report.
"""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from frcnn_cli.cli.doctor.check import Check, State
from frcnn_cli.cli.doctor.devices import check_devices
from frcnn_cli.cli.doctor.machine import check_machine
from frcnn_cli.cli.doctor.packages import check_packages
from frcnn_cli.cli.doctor.probe_process import try_out
from frcnn_cli.cli.doctor.probes import PROBES
from frcnn_cli.runtime.progress import Progress, silent

__all__ = ["Check", "State", "examine"]

STEP = "Looking"


def examine(cache: Path, progress: Progress = silent) -> list[Check]:
    """Looks at everything that frcnn needs.

    Args:
        cache: the cache folder, which need not be there.
        progress: told after each part.

    Returns:
        What was found, in the order in which a reader wants it.
    """
    with ThreadPoolExecutor(len(PROBES)) as pool:
        found = {}
        for name, outcome in zip(PROBES, pool.map(try_out, PROBES), strict=True):
            found[name] = outcome
            progress(STEP, len(found), len(PROBES))

    def checks() -> Iterator[Check]:
        yield from check_packages(found)
        yield from check_devices(found["torch"])
        yield from check_machine(cache)

    return list(checks())
