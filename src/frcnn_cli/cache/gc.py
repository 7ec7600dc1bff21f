"""Garbage collection: temporary, unusable and unused entries, and runs that the user names."""

from __future__ import annotations

import logging
import shutil
import time
from collections.abc import Collection, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from frcnn_cli.cache import detections, proposals, runs
from frcnn_cli.cache.inventory import CachedRun, CacheEntry, cached_runs, entries, leftovers
from frcnn_cli.cache.keys import HASHES
from frcnn_cli.cache.locks import FolderLock, unused
from frcnn_cli.cache.store import Cache, read_about, translate_os_errors
from frcnn_cli.errors import ConfigError
from frcnn_cli.runtime.progress import Progress, silent, tracked

_LOGGER = logging.getLogger(__name__)
STEP_REMOVE = "Removing"

WRITE_SECONDS = 3600.0
"""A temporary file untouched for this long belongs to a killed write."""
GRACE_DAYS = 7.0
"""Entries that this installation cannot use stay this long: another one may have used them."""

_DAY = 86_400.0
_DAYS_OF_A_NOTE = 1.0
"""Use is noted to the day, so an entry of the last one may be in use."""


@dataclass(frozen=True)
class Garbage:
    """A file or a run's folder that can be removed, and why."""

    path: Path
    bytes: int
    reason: str


@dataclass(frozen=True)
class GarbageRules:
    """Rules by which entries of the cache are garbage.

    Attributes:
        unused_days: entries unused for longer are garbage; 0 keeps them.
        libraries: what searches regions in this installation; proposals of others are garbage if
            they have not been used lately. Empty keeps them.
        run_names: runs to remove whole.
    """

    unused_days: float
    libraries: Collection[str] = ()
    run_names: Sequence[str] = ()


def find_garbage(cache: Cache, now: float, rules: GarbageRules) -> Iterator[Garbage]:
    """Yields what can be removed. Checkpoints stay, except those of the named runs.

    Args:
        cache: where to look.
        now: seconds since the epoch.
        rules: what can be removed.

    Raises:
        ConfigError: there is no such run, or another process trains it.
    """
    named = list(_runs_named(cache, rules.run_names))
    for file in leftovers(cache):
        if now - file.used > WRITE_SECONDS:
            yield Garbage(file.path, file.bytes, "left behind by a killed write")
    for entry in entries(cache):
        days = (now - entry.used) / _DAY
        if days <= _DAYS_OF_A_NOTE:
            continue
        if reason := _why(entry, days, rules):
            yield Garbage(entry.path, entry.bytes, reason)
    for run in named:
        yield Garbage(run.folder, run.bytes, "named run")


def _why(entry: CacheEntry, days: float, rules: GarbageRules) -> str:
    """Returns why an entry can be removed; "" if it has to stay."""
    made_by = ""
    if entry.kind == proposals.KIND:
        made_by = str(read_about(entry.path).get("library", ""))
        if not made_by:
            return ""  # imported from another tool, or unknown
    elif entry.kind not in (HASHES, detections.KIND):
        return ""  # the splits, which define the test images
    if rules.unused_days and days > rules.unused_days:
        return f"not used for {rules.unused_days:g} days"
    is_known = not rules.libraries or made_by in rules.libraries
    if made_by and not is_known and days > GRACE_DAYS:
        return f"searched by {made_by}"
    return ""


def remove(item: Garbage) -> None:
    """Removes a file or a run's folder; nothing happens if it is gone already.

    Raises:
        ConfigError: another process trains the run.
        CacheError: the cache cannot be written.
    """
    with translate_os_errors(item.path):
        if item.path.is_dir():
            lock = _lock_run(item.path)
            shutil.rmtree(item.path)
            lock.release()
            return
        item.path.unlink(missing_ok=True)
        with suppress(OSError):  # the folder is not empty
            item.path.parent.rmdir()


def collect_garbage(
    cache: Cache, rules: GarbageRules, *, dry_run: bool = False, progress: Progress = silent
) -> list[Garbage]:
    """Removes what `find_garbage` finds, and returns it.

    Args:
        cache: where to look.
        rules: what can be removed.
        dry_run: whether to remove nothing.
        progress: called after each item.

    Raises:
        ConfigError: there is no run of such a name, or another process trains it.
        CacheError: the cache cannot be written.
    """
    with unused(cache.root) as is_unused:
        if not is_unused:
            _LOGGER.warning(
                "%s is used by another command: entries stay; try again when it is done", cache.root
            )
            rules = GarbageRules(0, run_names=rules.run_names)
        items = list(find_garbage(cache, time.time(), rules))
        for item in tracked(items, STEP_REMOVE, progress):
            if not dry_run:
                remove(item)
    return items


def _lock_run(folder: Path) -> FolderLock:
    lock = FolderLock.acquire(folder)
    if lock is None:
        raise ConfigError(
            f"another process trains the run {folder.name!r}",
            remedy="wait for its end, or stop it, before you remove it",
            file=folder,
        )
    return lock


def _runs_named(cache: Cache, names: Sequence[str]) -> Iterator[CachedRun]:
    found = {run.folder.name: run for run in cached_runs(cache)}
    for name in names:
        if runs.run_folder(cache, name).name not in found:
            known = ", ".join(found) or "there is none"
            raise ConfigError(f"there is no run {name!r}", remedy=f"runs are: {known}")
        _lock_run(found[name].folder).release()
        yield found[name]
