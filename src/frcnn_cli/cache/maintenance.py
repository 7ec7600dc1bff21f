"""The cache folder as a whole: what it holds, whether it is whole, what of it can go."""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field

from frcnn_cli.cache import proposals
from frcnn_cli.cache.gc import Removable, removable, remove
from frcnn_cli.cache.inventory import KeptFile, KeptRun, entries, kept_runs, leftovers
from frcnn_cli.cache.store import Cache, read_about, translate_os_errors
from frcnn_cli.cache.verify import Verdict, repair, verify
from frcnn_cli.errors import CacheError
from frcnn_cli.runtime.progress import Progress, silent

STEP_VERIFY = "Reading"
STEP_REMOVE = "Removing"


@dataclass
class Holding:
    """Entries of one kind, made in one way.

    Attributes:
        kind: such as "proposals".
        made_by: how, in words; "" where that is not known or there is but one way.
        entries: how many.
        bytes: their size.
        used: when the last of them was used, to the day, in seconds since the epoch.
    """

    kind: str
    made_by: str
    entries: int = 0
    bytes: int = 0
    used: float = 0.0

    def add(self, file: KeptFile) -> None:
        """Counts a file in."""
        self.entries += 1
        self.bytes += file.bytes
        self.used = max(self.used, file.used)


@dataclass(frozen=True)
class Contents:
    """What a cache holds.

    Attributes:
        holdings: entries by kind and by how they were made.
        runs: training runs.
        temporary: files of writes that are at work or were killed; None where there is none.
    """

    holdings: list[Holding]
    runs: list[KeptRun]
    temporary: Holding | None

    @property
    def bytes(self) -> int:
        """The size of all of it."""
        entries = [*self.holdings, *([self.temporary] if self.temporary else [])]
        return sum(each.bytes for each in entries) + sum(run.bytes for run in self.runs)


@dataclass
class Inspection:
    """What became of a look at every file.

    Attributes:
        whole: how many files are as they were written.
        later: files of a later version, which are left alone.
        damaged: files that are not as they were written.
        mended: those of them that were removed or set aside.
    """

    whole: int = 0
    later: list[Verdict] = field(default_factory=list)
    damaged: list[Verdict] = field(default_factory=list)
    mended: list[Verdict] = field(default_factory=list)

    @property
    def unmended(self) -> list[CacheError]:
        """What is still wrong, each with its remedy."""
        mend = "frcnn cache verify --repair"
        mended = {verdict.path for verdict in self.mended}
        return [
            CacheError(verdict.problem, remedy=mend, file=verdict.path)
            for verdict in self.damaged
            if verdict.path not in mended
        ] + [CacheError(verdict.problem, file=verdict.path) for verdict in self.later]


def list_contents(cache: Cache) -> Contents:
    """Returns what a cache holds; one that is not there holds nothing."""
    holdings: dict[tuple[str, str], Holding] = {}
    for entry in entries(cache):
        made_by = _made_by(entry)
        key = (entry.kind, made_by)
        holdings.setdefault(key, Holding(*key)).add(entry)
    temporary = Holding("temporary", "")
    for file in leftovers(cache):
        temporary.add(file)
    ordered = [holdings[key] for key in sorted(holdings)]
    return Contents(ordered, list(kept_runs(cache)), temporary if temporary.entries else None)


def inspect(cache: Cache, *, mend: bool = False, progress: Progress = silent) -> Inspection:
    """Reads every file of a cache and compares checksums, formats and versions.

    Args:
        cache: where to look.
        mend: remove damaged entries, which are made again, and set damaged checkpoints aside.
        progress: told after each file.

    Raises:
        CacheError: something damaged cannot be removed.
    """
    contents = list_contents(cache)
    files = sum(each.entries for each in contents.holdings)
    files += sum(len(list(run.folder.glob("*.safetensors"))) for run in contents.runs)
    found = Inspection()
    for done, verdict in enumerate(verify(cache), start=1):
        if verdict.later:
            found.later.append(verdict)
        elif verdict.problem:
            found.damaged.append(verdict)
            if mend:
                with translate_os_errors(verdict.path):
                    repair(verdict)
                found.mended.append(verdict)
        else:
            found.whole += 1
        progress(STEP_VERIFY, done, max(files, done))
    return found


def collect(
    cache: Cache,
    *,
    unused_days: float,
    libraries: Collection[str],
    run_names: Sequence[str] = (),
    dry_run: bool = False,
    progress: Progress = silent,
) -> list[Removable]:
    """Removes what can go, and returns it; see `cache.gc.removable`.

    Raises:
        ConfigError: there is no run of such a name.
        CacheError: the cache cannot be written.
    """
    items = list(
        removable(
            cache,
            time.time(),
            unused_days=unused_days,
            libraries=libraries,
            run_names=run_names,
        )
    )
    for done, item in enumerate(items, start=1):
        if not dry_run:
            remove(item)
        progress(STEP_REMOVE, done, len(items))
    return items


def by_reason(items: Sequence[Removable]) -> dict[str, tuple[int, int]]:
    """Returns how many items there are for each reason, and their bytes."""
    tally: dict[str, tuple[int, int]] = defaultdict(lambda: (0, 0))
    for item in items:
        number, size = tally[item.reason]
        tally[item.reason] = (number + 1, size + item.bytes)
    return dict(tally)


def _made_by(entry: KeptFile) -> str:
    if entry.kind != proposals.KIND:
        return ""
    about = read_about(entry.path)
    if not about:
        return ""
    return f"{about.get('preset')}, longest side {about.get('max_side')}, {about.get('library')}"
