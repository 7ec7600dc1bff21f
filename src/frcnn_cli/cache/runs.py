"""Where training runs live: `<cache>/runs/<name>/`, with `last` and `best` checkpoints."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from frcnn_cli.cache.store import Cache, translate_os_errors
from frcnn_cli.decoding import decode_json
from frcnn_cli.errors import CheckpointError, ConfigError
from frcnn_cli.files import reading

BEST = "best.safetensors"
LAST = "last.safetensors"
METRICS = "metrics.jsonl"

_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.+=-]{0,99}")


def run_folder(cache: Cache, name: str) -> Path:
    """Returns the folder of the run `name`, whether it is there or not.

    Raises:
        ConfigError: `name` cannot be the name of a folder.
    """
    if not _NAME.fullmatch(name):
        raise ConfigError(
            f"{name!r} cannot be the name of a run",
            remedy="use up to 100 letters, digits and _ . + = -, the first a letter, digit or _",
        )
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


def newest_checkpoint(cache: Cache, file: str = BEST) -> Path | None:
    """Returns the newest `file` of all runs of this cache; None if there is none."""
    found = []
    for path in cache.root.glob(f"runs/*/{file}"):
        try:
            found.append((path.stat().st_mtime_ns, path))
        except FileNotFoundError:
            continue  # its run was deleted since the folder was listed
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
