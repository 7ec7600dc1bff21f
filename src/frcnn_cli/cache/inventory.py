"""What lies in a cache folder: entries, runs, and what writes that were killed left behind."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from frcnn_cli.cache import runs
from frcnn_cli.cache.store import Cache
from frcnn_cli.files import TEMPORARY_SUFFIX

_KEY = re.compile(r"[0-9a-f]{64}")
_RUNS = "runs"


@dataclass(frozen=True)
class KeptFile:
    """A file of the cache.

    Attributes:
        path: where it is.
        kind: the folder of the cache that it lies in, such as "proposals".
        bytes: its size.
        used: when it was last used, to the day, in seconds since the epoch.
    """

    path: Path
    kind: str
    bytes: int
    used: float


@dataclass(frozen=True)
class KeptRun:
    """A training run.

    Attributes:
        folder: where it is.
        steps: steps in its metrics.
        best_map: highest mAP on its validation photographs; None where it was not measured.
        bytes: size of all of its files.
        used: when it was last written, in seconds since the epoch.
    """

    folder: Path
    steps: int
    best_map: float | None
    bytes: int
    used: float


def entries(cache: Cache) -> Iterator[KeptFile]:
    """Yields every entry, whole or damaged, kind by kind."""
    for kind in _folders(cache.root):
        if kind.name == _RUNS:
            continue
        for shard in _folders(kind):
            for path in sorted(shard.iterdir()):
                if _KEY.fullmatch(path.name):
                    yield from _file(path, kind.name)


def leftovers(cache: Cache) -> Iterator[KeptFile]:
    """Yields the temporary files of writes, those at work and those that were killed."""
    for parent, _, names in os.walk(cache.root):
        for name in sorted(names):
            if name.startswith(".") and name.endswith(TEMPORARY_SUFFIX):
                yield from _file(Path(parent) / name, "temporary")


def kept_runs(cache: Cache) -> Iterator[KeptRun]:
    """Yields the training runs, by name."""
    for folder in _folders(cache.root / _RUNS):
        files = [kept for path in folder.iterdir() for kept in _file(path, _RUNS)]
        try:
            rows = runs.read_metrics(folder)
        except (OSError, ValueError):
            rows = []
        yield KeptRun(
            folder,
            max((row.get("step", 0) for row in rows), default=0),
            max((row["map"] for row in rows if "map" in row), default=None),
            sum(file.bytes for file in files),
            max((file.used for file in files), default=0.0),
        )


def _folders(path: Path) -> list[Path]:
    if not path.is_dir():
        return []
    return sorted(each for each in path.iterdir() if each.is_dir())


def _file(path: Path, kind: str) -> Iterator[KeptFile]:
    try:
        status = path.stat()
    except FileNotFoundError:
        return  # another process removed it
    yield KeptFile(path, kind, status.st_size, status.st_mtime)
