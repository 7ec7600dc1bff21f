"""What of a cache folder can go: leftovers, what nobody can use any more, what nobody uses."""

from __future__ import annotations

import shutil
from collections.abc import Collection, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from frcnn_cli.cache import detections, proposals, runs
from frcnn_cli.cache.inventory import KeptFile, KeptRun, entries, kept_runs, leftovers
from frcnn_cli.cache.keys import HASHES
from frcnn_cli.cache.store import Cache, read_about, translate_os_errors
from frcnn_cli.errors import ConfigError

WRITE_SECONDS = 3600.0
"""A temporary file that was not touched for so long belongs to a write that was killed."""
GRACE_DAYS = 7.0
"""What this installation cannot use is kept if it was used lately: by another one, then."""

_DAY = 86_400.0


@dataclass(frozen=True)
class Removable:
    """A file or a run's folder that can go, and why."""

    path: Path
    bytes: int
    reason: str


def removable(
    cache: Cache,
    now: float,
    *,
    unused_days: float,
    libraries: Collection[str] = (),
    run_names: Sequence[str] = (),
) -> Iterator[Removable]:
    """Yields what can go. Checkpoints stay, but for those of the runs that are named.

    Args:
        cache: where to look.
        now: seconds since the epoch.
        unused_days: entries that were not used for so long go; 0 keeps them.
        libraries: what searches regions in this installation; proposals of others go if they have
            not been used lately. Empty keeps them.
        run_names: runs that go whole.

    Raises:
        ConfigError: there is no such run.
    """
    doomed = list(_runs_named(cache, run_names))
    for file in leftovers(cache):
        if now - file.used > WRITE_SECONDS:
            yield Removable(file.path, file.bytes, "left behind by a write that was killed")
    for entry in entries(cache):
        days = (now - entry.used) / _DAY
        reason = _why(entry, days, unused_days, libraries)
        if reason:
            yield Removable(entry.path, entry.bytes, reason)
    for run in doomed:
        yield Removable(run.folder, run.bytes, "a run that was named")


def _why(entry: KeptFile, days: float, unused_days: float, libraries: Collection[str]) -> str:
    """Returns why an entry can go; "" if it has to stay."""
    made_by = ""
    if entry.kind == proposals.KIND:
        made_by = str(read_about(entry.path).get("library", ""))
        if not made_by:
            return ""  # imported from another tool, or we cannot tell
    elif entry.kind not in (HASHES, detections.KIND):
        return ""  # the splits, which say what is a test
    if unused_days and days > unused_days:
        return f"not used for {unused_days:g} days"
    if made_by and libraries and made_by not in libraries and days > GRACE_DAYS:
        return f"searched by {made_by}"
    return ""


def remove(item: Removable) -> None:
    """Removes a file, or a run's folder; what is gone already is fine.

    Raises:
        CacheError: the cache cannot be written.
    """
    with translate_os_errors(item.path):
        if item.path.is_dir():
            shutil.rmtree(item.path)
            return
        item.path.unlink(missing_ok=True)
        with suppress(OSError):  # the folder is not empty
            item.path.parent.rmdir()


def _runs_named(cache: Cache, names: Sequence[str]) -> Iterator[KeptRun]:
    found = {run.folder.name: run for run in kept_runs(cache)}
    for name in names:
        if runs.run_folder(cache, name).name not in found:
            known = ", ".join(found) or "there is none"
            raise ConfigError(f"there is no run {name!r}", remedy=f"runs are: {known}")
        yield found[name]
