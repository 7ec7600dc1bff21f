"""Verification and repair: reads every file of a cache folder and reports the damaged ones."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from frcnn_cli.cache import detections, proposals, runs
from frcnn_cli.cache.checkpoints import is_of_later_version, load_checkpoint, read_safetensors
from frcnn_cli.cache.inventory import CacheEntry, cached_runs, entries
from frcnn_cli.cache.records import record_of
from frcnn_cli.cache.store import Cache, DamagedError, read_entry, translate_os_errors
from frcnn_cli.decoding import decode_json
from frcnn_cli.errors import CacheError, CheckpointError
from frcnn_cli.runtime.progress import Progress, silent

STEP_VERIFY = "Reading"
SET_ASIDE = ".damaged"
"""Suffix of a run's damaged file that has been set aside."""
_DAMAGED = "is damaged: its checksum does not match"
_DECODE: Mapping[str, Callable[[bytes], object]] = {
    proposals.KIND: proposals.boxes_of,
    detections.KIND: detections.detections_of,
}
"""How payloads of a kind are decoded; all other kinds are records."""


@dataclass(frozen=True)
class Verdict:
    """The result for one file.

    Attributes:
        path: the file.
        problem: what is wrong with it; "" if it is whole.
        reproducible: whether it is computed again when it is needed.
        later: whether it is of a later version, so that damage cannot be judged.
    """

    path: Path
    problem: str = ""
    reproducible: bool = True
    later: bool = False


@dataclass
class Verification:
    """The result for all files.

    Attributes:
        whole: number of undamaged files.
        later: files of a later version, which are left alone.
        damaged: files that differ from what was written.
        repaired: those of them that were removed or set aside.
    """

    whole: int = 0
    later: list[Verdict] = field(default_factory=list)
    damaged: list[Verdict] = field(default_factory=list)
    repaired: list[Verdict] = field(default_factory=list)

    @property
    def unrepaired(self) -> list[CacheError]:
        """Problems that remain, each with its remedy."""
        remedy = "frcnn cache verify --repair"
        return [
            CacheError(each.problem, remedy=remedy, file=each.path)
            for each in self.damaged
            if each not in self.repaired
        ] + [CacheError(each.problem, file=each.path) for each in self.later]


def verify_all(
    cache: Cache, *, repair_damaged: bool = False, progress: Progress = silent
) -> Verification:
    """Reads every file of a cache and compares checksums, formats and versions.

    Args:
        cache: where to look.
        repair_damaged: whether to `repair` what is damaged.
        progress: called after each file.

    Raises:
        CacheError: a damaged file cannot be removed.
    """
    files = sum(1 for _ in entries(cache)) + sum(
        len(list(run.folder.glob("*.safetensors"))) for run in cached_runs(cache)
    )
    result = Verification()
    for done, verdict in enumerate(verify(cache), start=1):
        if verdict.later:
            result.later.append(verdict)
        elif verdict.problem:
            result.damaged.append(verdict)
            if repair_damaged:
                repair(verdict)
                result.repaired.append(verdict)
        else:
            result.whole += 1
        progress(STEP_VERIFY, done, max(files, done))
    return result


def verify(cache: Cache) -> Iterator[Verdict]:
    """Yields a verdict on every entry and on the files of every run."""
    for entry in entries(cache):
        yield _verify_entry(entry)
    for run in cached_runs(cache):
        for path in sorted(run.folder.glob("*.safetensors")):
            yield _verify_weights(path)
        for path in (run.folder / "config.json", run.folder / runs.METRICS):
            if path.is_file():
                yield _verify_text(path)


def repair(verdict: Verdict) -> None:
    """Removes a damaged entry, which is computed again, or sets a run's damaged file aside.

    Raises:
        CacheError: the cache cannot be written.
    """
    with translate_os_errors(verdict.path), suppress(FileNotFoundError):
        if verdict.reproducible:
            verdict.path.unlink()
        else:
            verdict.path.rename(verdict.path.with_name(verdict.path.name + SET_ASIDE))


def _verify_entry(entry: CacheEntry) -> Verdict:
    path = entry.path
    try:
        payload = read_entry(path)
    except FileNotFoundError:
        return Verdict(path)  # removed since it was listed
    except DamagedError:
        return Verdict(path, _DAMAGED)
    except CacheError as error:
        return Verdict(path, error.problem, later=True)
    whole = _DECODE.get(entry.kind, record_of)(payload) is not None
    return Verdict(path, "" if whole else f"does not hold {entry.kind}")


def _verify_weights(path: Path) -> Verdict:
    later = False
    try:
        _, metadata = read_safetensors(path)
        if "schema" in metadata:
            later = is_of_later_version(metadata)
            load_checkpoint(path)
    except CheckpointError as error:
        return Verdict(path, error.problem, reproducible=False, later=later)
    return Verdict(path, reproducible=False)


def _verify_text(path: Path) -> Verdict:
    try:
        if path.name == runs.METRICS:
            runs.read_metrics(path.parent)
        else:
            decode_json(path.read_bytes(), dict[str, Any])
    except CheckpointError as error:
        return Verdict(path, error.problem, reproducible=False)
    except (OSError, ValueError) as error:
        return Verdict(path, f"cannot be read ({error})", reproducible=False)
    return Verdict(path, reproducible=False)
