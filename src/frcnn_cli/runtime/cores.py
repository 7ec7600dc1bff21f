"""The cores that this process may use, and how threads wait on cores that others use too.

Settings of OpenMP are read when torch is loaded, so `share_cores` stands before any import of it.
"""

from __future__ import annotations

import math
import os
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

_THREADS, _WAIT = "OMP_NUM_THREADS", "OMP_WAIT_POLICY"
_MEMBERSHIP, _MOUNT = Path("/proc/self/cgroup"), Path("/sys/fs/cgroup")


def all_cores() -> int:
    """Returns how many cores this process may use: its affinity, or a container's quota."""
    return min(_affinity(), cpu_quota() or _affinity())


def share_cores(processes: int = 1) -> None:
    """Sets the threads of this process and its children, unless the user did.

    Waiting threads sleep: by default they spin, which takes the cores from threads that work where
    a machine is busy or a container has a quota. torch counts the machine's cores, not the quota.

    Args:
        processes: children that share the cores.
    """
    os.environ.setdefault(_WAIT, "PASSIVE")
    cores = all_cores()
    limits = processes > 1 or cores < _affinity()
    if limits and os.environ.get(_THREADS, str(cores)) == str(cores):
        os.environ[_THREADS] = str(max(1, cores // processes))


def cpu_quota(membership: Path = _MEMBERSHIP, mount: Path = _MOUNT) -> int | None:
    """Returns the cores that the control groups of this process allow, rounded up; None: all.

    Args:
        membership: the file that lists the groups, version 1 or 2.
        mount: where their files are.
    """
    shares = [
        quota / period
        for group in _groups(membership, mount)
        for quota, period in _limits(group)
        if quota > 0 and period > 0
    ]
    return max(1, math.ceil(min(shares))) if shares else None


def _affinity() -> int:
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _groups(membership: Path, mount: Path) -> Iterator[Path]:
    """Yields the folders that may hold a quota: the group's, and those above it up to the mount.

    In a container the mount may begin at its own group, whose path from the host leads nowhere.
    """
    lines = []
    with suppress(OSError, UnicodeDecodeError):
        lines = membership.read_text().splitlines()
    for line in lines:
        _, controllers, path = line.split(":", 2)
        if controllers and "cpu" not in controllers.split(","):
            continue
        for name in (controllers, "cpu") if controllers else ("", "unified"):
            folder = mount / name / path.lstrip("/")
            yield from (
                each for each in (folder, *folder.parents) if each.is_relative_to(mount / name)
            )


def _limits(group: Path) -> Iterator[tuple[int, int]]:
    """Yields the microseconds of computing per period, and the period; version 2, then 1."""
    with suppress(OSError, ValueError):  # a quota of "max" is none
        quota, period = (group / "cpu.max").read_text().split()
        yield int(quota), int(period)
    with suppress(OSError, ValueError):  # a quota of -1 is none
        files = (group / "cpu.cfs_quota_us", group / "cpu.cfs_period_us")
        quota, period = (file.read_text() for file in files)
        yield int(quota), int(period)
