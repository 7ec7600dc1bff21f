"""Inventory of a cache folder: entries, training runs, and temporary files of killed writes."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from frcnn_cli.cache import proposals, runs
from frcnn_cli.cache.store import Cache, read_about
from frcnn_cli.errors import CheckpointError
from frcnn_cli.files import TEMPORARY_SUFFIX

_KEY = re.compile(r"[0-9a-f]{64}")
_RUNS = "runs"


@dataclass(frozen=True)
class CacheEntry:
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
class CachedRun:
    """A training run.

    Attributes:
        folder: where it is.
        steps: steps in its metrics.
        best_map: highest mAP on its validation images; None where it was not measured.
        bytes: size of all of its files.
        used: when it was last written, in seconds since the epoch.
    """

    folder: Path
    steps: int
    best_map: float | None
    bytes: int
    used: float


@dataclass
class EntryGroup:
    """Entries of one kind that were computed in one way.

    Attributes:
        kind: such as "proposals".
        made_by: how, in words; "" where that is unknown or there is only one way.
        entries: how many.
        bytes: their size.
        used: when the last of them was used, to the day, in seconds since the epoch.
    """

    kind: str
    made_by: str
    entries: int = 0
    bytes: int = 0
    used: float = 0.0

    def add(self, entry: CacheEntry) -> None:
        """Counts an entry in."""
        self.entries += 1
        self.bytes += entry.bytes
        self.used = max(self.used, entry.used)


@dataclass(frozen=True)
class Contents:
    """All that a cache holds.

    Attributes:
        groups: entries by kind and by how they were made.
        runs: training runs.
        temporary: files of running or killed writes; None if there are none.
    """

    groups: list[EntryGroup]
    runs: list[CachedRun]
    temporary: EntryGroup | None

    @property
    def all_groups(self) -> list[EntryGroup]:
        """The groups, and the temporary files as the last one."""
        return [*self.groups, *([self.temporary] if self.temporary else [])]

    @property
    def bytes(self) -> int:
        """The size of everything."""
        return sum(each.bytes for each in self.all_groups) + sum(run.bytes for run in self.runs)


def list_contents(cache: Cache) -> Contents:
    """Returns what a cache holds; a missing one holds nothing."""
    groups: dict[tuple[str, str], EntryGroup] = {}
    for entry in entries(cache):
        key = (entry.kind, _made_by(entry))
        groups.setdefault(key, EntryGroup(*key)).add(entry)
    temporary = EntryGroup("temporary", "")
    for file in leftovers(cache):
        temporary.add(file)
    return Contents(
        [groups[key] for key in sorted(groups)],
        list(cached_runs(cache)),
        temporary if temporary.entries else None,
    )


def _made_by(entry: CacheEntry) -> str:
    about = read_about(entry.path) if entry.kind == proposals.KIND else None
    if not about:
        return ""
    return f"{about.get('preset')}, longest side {about.get('max_side')}, {about.get('library')}"


def entries(cache: Cache) -> Iterator[CacheEntry]:
    """Yields every entry, whole or damaged, kind by kind."""
    for kind in _folders(cache.root):
        if kind.name == _RUNS:
            continue
        for shard in _folders(kind):
            for path in sorted(shard.iterdir()):
                if _KEY.fullmatch(path.name):
                    yield from _file(path, kind.name)


def leftovers(cache: Cache) -> Iterator[CacheEntry]:
    """Yields the temporary files of writes, running or killed."""
    for parent, _, names in os.walk(cache.root):
        for name in sorted(names):
            if name.startswith(".") and name.endswith(TEMPORARY_SUFFIX):
                yield from _file(Path(parent) / name, "temporary")


def cached_runs(cache: Cache) -> Iterator[CachedRun]:
    """Yields the training runs, by name."""
    for folder in _folders(cache.root / _RUNS):
        files = [file for path in folder.iterdir() for file in _file(path, _RUNS)]
        try:
            rows = runs.read_metrics(folder)
        except CheckpointError:
            rows = []
        yield CachedRun(
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


def _file(path: Path, kind: str) -> Iterator[CacheEntry]:
    try:
        status = path.stat()
    except FileNotFoundError:
        return  # another process removed it
    yield CacheEntry(path, kind, status.st_size, status.st_mtime)
