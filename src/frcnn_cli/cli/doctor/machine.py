"""Checks of the cache folder, the disk below it, and shared memory."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryFile

from frcnn_cli.cli.doctor.check import Check, State
from frcnn_cli.errors import ConfigError
from frcnn_cli.files import writing

_GIB = 1 << 30
_LITTLE_SHARED = 1 * _GIB
_LITTLE_DISK = 2 * _GIB
_NO_DISK = 100 << 20
_CHOOSE = "choose another folder with --cache-dir or FRCNN_CACHE_DIR"


def check_machine(cache: Path, shared: Path = Path("/dev/shm")) -> Iterator[Check]:
    """Yields the checks of the cache folder `cache`, which need not exist, and of the machine."""
    # The cache is made at the first write: what counts is the nearest folder that exists.
    path = cache.absolute()
    folder = next((each for each in (path, *path.parents) if each.exists()), path)
    try:
        with writing(cache), TemporaryFile(dir=folder) as stream:
            stream.write(b"x" * 4096)
    except ConfigError as error:
        yield Check("cache", "broken", f"{cache} {error.problem}", _CHOOSE)
    else:
        state = "is writable" if cache.is_dir() else "is created at the first write"
        yield Check("cache", "ok", f"{cache} {state}")
    yield _space(folder)
    if shared.is_dir():
        total = shutil.disk_usage(shared).total
        found = f"{total / _GIB:,.1f} GiB for the processes that load images for a GPU"
        remedy = "start the container with --shm-size 2g; training on a CPU does not need it"
        is_little = total < _LITTLE_SHARED
        little: State = "warning" if is_little else "ok"
        yield Check("shared memory", little, found, remedy if is_little else "")


def _space(folder: Path) -> Check:
    free = shutil.disk_usage(folder).free
    found = f"{free / _GIB:,.1f} GiB free where the cache is"
    if free < _NO_DISK:
        return Check("disk", "broken", found, f"free space, or {_CHOOSE}")
    if free < _LITTLE_DISK:
        return Check("disk", "warning", f"{found}, a long training fills it", "frcnn cache gc")
    return Check("disk", "ok", found)
