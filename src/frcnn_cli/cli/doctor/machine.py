"""The cache folder, the disk below it, and the memory that processes share."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

from frcnn_cli.cli.doctor.check import Check

_SHARED = Path("/dev/shm")
_LITTLE_SHARED = 1 << 30
_LITTLE_DISK = 2 << 30
_NO_DISK = 100 << 20
_CHOOSE = "choose another folder with --cache-dir or FRCNN_CACHE_DIR"


def check_machine(cache: Path, shared: Path = _SHARED) -> Iterator[Check]:
    """Yields what is to be said of the cache folder `cache` and of the machine."""
    folder = _nearest_folder(cache)
    yield _writable(cache, folder)
    yield _space(folder)
    if shared.is_dir():
        yield _shared_memory(shared)


def _nearest_folder(path: Path) -> Path:
    """Returns `path`, or the first above it that exists: the cache is made at its first write."""
    path = path.absolute()
    return next((each for each in (path, *path.parents) if each.exists()), path)


def _writable(cache: Path, folder: Path) -> Check:
    try:
        with tempfile.TemporaryFile(dir=folder) as stream:
            stream.write(b"x" * 4096)
            stream.flush()
            os.fsync(stream.fileno())
    except OSError as error:
        problem = f"{cache} cannot be written ({error.strerror})"
        return Check("cache", "broken", problem, _CHOOSE)
    state = "is writable" if cache.is_dir() else "is made at the first write"
    return Check("cache", "ok", f"{cache} {state}")


def _space(folder: Path) -> Check:
    free = shutil.disk_usage(folder).free
    found = f"{_gibibytes(free)} free where the cache is"
    if free < _NO_DISK:
        return Check("disk", "broken", found, f"free space, or {_CHOOSE}")
    if free < _LITTLE_DISK:
        return Check("disk", "warning", f"{found}, a long training fills it", "frcnn cache gc")
    return Check("disk", "ok", found)


def _shared_memory(shared: Path) -> Check:
    total = shutil.disk_usage(shared).total
    found = f"{_gibibytes(total)} for the processes that load images for a GPU"
    if total < _LITTLE_SHARED:
        remedy = "start the container with --shm-size 2g; training on a CPU does not need it"
        return Check("shared memory", "warning", found, remedy)
    return Check("shared memory", "ok", found)


def _gibibytes(number: int) -> str:
    return f"{number / (1 << 30):,.1f} GiB"
