"""Reads everything in a cache folder and tells what is not as it was written."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from frcnn_cli.cache import detections, proposals, runs
from frcnn_cli.cache.checkpoints import is_of_later_version, load_checkpoint, read_safetensors
from frcnn_cli.cache.inventory import KeptFile, entries, kept_runs
from frcnn_cli.cache.records import record_of
from frcnn_cli.cache.store import Cache, DamagedError, read_entry
from frcnn_cli.errors import CacheError, CheckpointError

SET_ASIDE = ".damaged"
"""What the name of a run's damaged file ends with when it has been set aside."""
_DAMAGED = "is damaged: its checksum is another"


@dataclass(frozen=True)
class Verdict:
    """What was found out about one file.

    Attributes:
        path: the file.
        problem: what is wrong with it; "" if it is whole.
        remakable: whether it is made again when it is needed.
        later: whether it is of a later version: neither whole nor damaged as far as we can tell.
    """

    path: Path
    problem: str = ""
    remakable: bool = True
    later: bool = False


def verify(cache: Cache) -> Iterator[Verdict]:
    """Yields a verdict on every entry and on the files of every run."""
    for entry in entries(cache):
        yield _verify_entry(entry)
    for run in kept_runs(cache):
        for path in sorted(run.folder.glob("*.safetensors")):
            yield _verify_weights(path)
        for path in (run.folder / "config.json", run.folder / runs.METRICS):
            if path.is_file():
                yield _verify_text(path)


def repair(verdict: Verdict) -> None:
    """Removes a damaged entry, which is made again, or sets a run's damaged file aside.

    Raises:
        OSError: the cache cannot be written.
    """
    if verdict.remakable:
        verdict.path.unlink(missing_ok=True)
    else:
        with suppress(FileNotFoundError):
            verdict.path.rename(verdict.path.with_name(verdict.path.name + SET_ASIDE))


def _verify_entry(entry: KeptFile) -> Verdict:
    path = entry.path
    try:
        payload = read_entry(path).payload
    except FileNotFoundError:
        return Verdict(path)  # removed since it was listed
    except DamagedError:
        return Verdict(path, _DAMAGED)
    except CacheError as error:
        return Verdict(path, error.problem, later=True)
    if entry.kind == proposals.KIND:
        return Verdict(path, "" if proposals.boxes_of(payload) is not None else "holds no boxes")
    if entry.kind == detections.KIND:
        whole = detections.detections_of(payload) is not None
        return Verdict(path, "" if whole else "holds no detections")
    return Verdict(path, "" if record_of(payload) is not None else "holds no record")


def _verify_weights(path: Path) -> Verdict:
    later = False
    try:
        _, metadata = read_safetensors(path)
        if "schema" in metadata:
            later = is_of_later_version(metadata)
            load_checkpoint(path)
    except CheckpointError as error:
        return Verdict(path, error.problem, remakable=False, later=later)
    return Verdict(path, remakable=False)


def _verify_text(path: Path) -> Verdict:
    try:
        if path.name == runs.METRICS:
            runs.read_metrics(path.parent)
        else:
            json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        return Verdict(path, f"cannot be read ({error})", remakable=False)
    return Verdict(path, remakable=False)
