"""Folders of training runs: `<cache>/runs/<name>/`, with `last` and `best` checkpoints."""

from __future__ import annotations

import re
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from frcnn_cli.cache.checkpoints import read_training_facts
from frcnn_cli.cache.store import Cache, translate_os_errors
from frcnn_cli.decoding import decode_json
from frcnn_cli.errors import CheckpointError, ConfigError
from frcnn_cli.files import reading

BEST = "best.safetensors"
LAST = "last.safetensors"
METRICS = "metrics.jsonl"

_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.+=-]{0,99}")


def require_name(name: str, what: str) -> None:
    """Refuses a name that cannot be that of a file or folder everywhere.

    Args:
        name: given by a user.
        what: what is to be called so, such as "a run".

    Raises:
        ConfigError: the name is refused.
    """
    if not _NAME.fullmatch(name):
        raise ConfigError(
            f"{name!r} cannot be the name of {what}",
            remedy="use up to 100 letters, digits and _ . + = -, the first a letter, digit or _",
        )


def run_folder(cache: Cache, name: str) -> Path:
    """Returns the folder of the run `name`, whether it is there or not.

    Raises:
        ConfigError: `name` cannot be the name of a folder.
    """
    require_name(name, "a run")
    return cache.root / "runs" / name


def make_run_folder(cache: Cache, name: str) -> Path:
    """Makes the folder of the run `name` if it is not there, and returns it.

    Raises:
        ConfigError: `name` cannot be the name of a folder.
        CacheError: the cache cannot be written.
    """
    folder = run_folder(cache, name)
    cache.require_writable()
    with translate_os_errors(folder):
        folder.mkdir(parents=True, exist_ok=True)
    return folder


@dataclass(frozen=True)
class RunState:
    """Progress of a run.

    Attributes:
        folder: of the run.
        changed_ns: when its best checkpoint was written, in nanoseconds since the epoch.
        step: of its last checkpoint; None where that does not say so.
        iterations: steps that it was to take; None likewise.
        is_finished: whether it came to its end.
    """

    folder: Path
    changed_ns: int
    step: int | None
    iterations: int | None
    is_finished: bool

    @classmethod
    def of(cls, folder: Path) -> RunState | None:
        """Returns the state of the run in `folder`; None if it has no checkpoint."""
        best = folder / BEST
        try:
            changed = best.stat().st_mtime_ns
        except (FileNotFoundError, NotADirectoryError):
            return None
        last = read_training_facts(folder / LAST)
        step, steps = last.get("step"), last.get("iterations")
        at_end = read_training_facts(best).get("finished")
        return cls(folder, changed, step, steps, at_end is not None and at_end == step)

    def __str__(self) -> str:
        name = f"run {self.folder.name}"
        if self.is_finished or self.step is None:
            return name
        return f"{name}, stopped at step {self.step} of {self.iterations}"


def run_states(cache: Cache) -> list[RunState]:
    """Returns the runs that have a checkpoint: finished ones first, each the newest first."""
    found = [RunState.of(path.parent) for path in cache.root.glob(f"runs/*/{BEST}")]
    known = [state for state in found if state is not None]  # a run may be deleted meanwhile
    return sorted(known, key=lambda run: (run.is_finished, run.changed_ns), reverse=True)


def newest_folder(cache: Cache, file: str) -> Path | None:
    """Returns the folder of the run whose `file` was written last; None if no run has one."""
    found: list[tuple[int, Path]] = []
    for path in cache.root.glob(f"runs/*/{file}"):
        with suppress(FileNotFoundError):  # the run was deleted since the folder was listed
            found.append((path.stat().st_mtime_ns, path.parent))
    return max(found)[1] if found else None


def read_metrics(folder: Path) -> list[dict[str, Any]]:
    """Returns the rows of a run's metrics; a last line that a crash cut short is left out.

    Raises:
        CheckpointError: the file cannot be read or holds something else.
    """
    path = folder / METRICS
    if not path.exists():
        return []
    try:
        with reading(path, CheckpointError):
            lines = path.read_bytes().splitlines(keepends=True)
        return [_row(line) for line in lines if line.endswith(b"\n")]
    except ValueError as error:
        raise CheckpointError(
            f"does not hold the metrics of a run ({error})",
            remedy="frcnn cache verify --repair sets it aside",
            file=path,
        ) from error


def _row(line: bytes) -> dict[str, Any]:
    row = decode_json(line, dict[str, int | float])
    if not isinstance(row.get("step"), int):
        raise ValueError("a line has no step")
    return row
