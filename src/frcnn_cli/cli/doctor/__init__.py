"""What is installed, which devices there are, and what is wrong with them, with the remedy.

Nothing that may be broken is imported here: each package is probed in a process of its own, so that
one that cannot be imported, or crashes, is a line of the report.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from frcnn_cli.cli.doctor.check import Check, State
from frcnn_cli.cli.doctor.devices import check_devices
from frcnn_cli.cli.doctor.machine import check_machine
from frcnn_cli.cli.doctor.packages import check_packages
from frcnn_cli.cli.doctor.probe_process import run_probe
from frcnn_cli.cli.doctor.probes import PROBES
from frcnn_cli.runtime.progress import Progress, silent

__all__ = ["Check", "State", "run_checks"]


def run_checks(cache: Path, progress: Progress = silent) -> list[Check]:
    """Checks everything that frcnn needs; `cache` is the cache folder, which need not exist.

    `progress` is called after each probe.
    """
    found = {}
    with ThreadPoolExecutor(len(PROBES)) as threads:
        for name, outcome in zip(PROBES, threads.map(run_probe, PROBES), strict=True):
            found[name] = outcome
            progress("Checking", len(found), len(PROBES))
    return [*check_packages(found), *check_devices(found["torch"]), *check_machine(cache)]
