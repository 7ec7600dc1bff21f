"""Photographs → proposals in the cache, searched by all cores where they are missing."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, field, replace
from functools import partial
from itertools import chain, islice
from pathlib import Path

import numpy as np
import numpy.typing as npt

from frcnn_cli.cache.keys import cached_content_hash
from frcnn_cli.cache.proposals import imported_key, load_proposals, proposal_key
from frcnn_cli.cache.store import Cache
from frcnn_cli.config import ProposalConfig
from frcnn_cli.errors import CacheError, FrcnnError, ProposalError
from frcnn_cli.proposals.search import library, require_engine
from frcnn_cli.proposals.worker import (
    Found,
    SearchTask,
    Taken,
    search_and_keep,
    search_once,
    set_up_worker,
)
from frcnn_cli.records import FloatArray
from frcnn_cli.runtime.process_pool import Lost, TimedOut, WorkerDied, all_cores, run_all
from frcnn_cli.runtime.progress import Progress, silent

STEP = "Finding proposals"


@dataclass
class ProposalRun:
    """Which photographs have proposals, and those proposals, read when they are asked for.

    Attributes:
        config: how the regions were searched.
        cache: where they are kept.
        counts: boxes of each photograph that has them, in input order.
        failures: why the others have none, in input order.
        cached: photographs whose proposals were in the cache, or were put there meanwhile.
        searched: photographs that were searched.
        seconds: wall time.
    """

    config: ProposalConfig
    cache: Cache
    counts: dict[Path, int] = field(default_factory=dict)
    failures: dict[Path, FrcnnError] = field(default_factory=dict)
    cached: int = 0
    searched: int = 0
    seconds: float = 0.0

    def proposals_for(self, path: Path, image: npt.NDArray[np.uint8] | None = None) -> FloatArray:
        """Returns the proposals (N, 4) of a photograph, best first; see `proposals_for`.

        Raises:
            FrcnnError: why this photograph has none.
        """
        if path in self.failures:
            raise self.failures[path]
        return proposals_for(path, self.config, self.cache, image)


def proposals_for(
    path: Path,
    config: ProposalConfig,
    cache: Cache,
    image: npt.NDArray[np.uint8] | None = None,
) -> FloatArray:
    """Returns the proposals (N, 4) of one photograph, searched in this process if need be.

    They are at most `config.max_proposals`, best first: float32 xyxy in pixels of the photograph.

    Args:
        path: the photograph.
        config: how its regions are searched.
        cache: where they are kept.
        image: the photograph (H, W, 3), RGB and upright, if it is decoded already.

    Raises:
        FrcnnError: the photograph cannot be read or searched, or the cache not be written.
    """
    key = proposal_keys(config)(cached_content_hash(cache, path))
    boxes = load_proposals(cache, key)
    if boxes is None:
        if config.engine == "imported":
            raise _not_imported(path, config)
        boxes = search_and_keep(SearchTask(path, key, config, cache), image)
    return boxes[: config.max_proposals or None]


def missing_key(path: Path, config: ProposalConfig, cache: Cache) -> str:
    """Returns the key of a photograph's proposals if the cache has none and they can be searched.

    Else it is ""; for what is wrong with a photograph ask for its proposals.
    """
    if config.engine == "imported":
        return ""
    try:
        key = proposal_keys(config)(cached_content_hash(cache, path))
        return "" if load_proposals(cache, key) is not None else key
    except FrcnnError:
        return ""


def ensure_proposals(
    paths: Iterable[Path],
    config: ProposalConfig,
    cache: Cache,
    *,
    workers: int = 0,
    force: bool = False,
    scheduler: str = "",
    progress: Progress = silent,
) -> ProposalRun:
    """Searches the photographs whose proposals are not in the cache, and keeps what it finds.

    Each result is in the cache as soon as it is there, so an interrupted call loses only the
    photographs in work. A photograph that fails, takes too long, or ends the process that searches
    it is noted and the rest go on. Photographs are searched in processes of their own, a single one
    too, so neither can end this one.

    Args:
        paths: photographs; one that is named twice counts once.
        config: how their regions are searched.
        cache: where they are kept.
        workers: processes; 0 is one for each core.
        force: search again what is in the cache.
        scheduler: address of a Dask scheduler whose workers search instead; "" searches here.
        progress: told after each photograph.

    Raises:
        ProposalError: OpenCV has no selective search.
        CacheError: the cache cannot be written.
    """
    search_run = _SearchRun(list(dict.fromkeys(paths)), config, cache, force, progress)
    return search_run.run(workers or all_cores(), scheduler)


class _SearchRun:
    """One call of `ensure_proposals`."""

    def __init__(
        self,
        paths: Sequence[Path],
        config: ProposalConfig,
        cache: Cache,
        force: bool,
        progress: Progress,
    ) -> None:
        self._paths = paths
        self._force = force
        self._progress = progress
        self._result = ProposalRun(config, cache)
        self._key_of = proposal_keys(config)

    def run(self, workers: int, scheduler: str) -> ProposalRun:
        began = time.monotonic()
        self._progress(STEP, 0, len(self._paths))
        missing = self._missing()
        first = list(islice(missing, 2))
        if first:
            require_engine(self._result.config)
            self._result.cache.require_writable()
            tasks = chain(first, missing)
            if scheduler:
                self._search_on_cluster(tasks, scheduler)
            else:
                taken = self._search(tasks, workers, alone=len(first) == 1 < workers)
                self._search((replace(task, wait=True) for task in taken), workers)
        return self._in_input_order(time.monotonic() - began)

    def _search(
        self, tasks: Iterable[SearchTask], workers: int, *, alone: bool = False
    ) -> list[SearchTask]:
        """Searches photographs, and returns those that another process is searching."""
        config = self._result.config
        set_up = partial(set_up_worker, config, alone=alone)
        taken = []
        with closing(run_all(search_once, tasks, workers, set_up, config.time_limit)) as found:
            for task, outcome in found:
                if isinstance(outcome, Taken):
                    taken.append(task)
                else:
                    self._note(task.path, outcome)
        return taken

    def _search_on_cluster(self, tasks: Iterator[SearchTask], scheduler: str) -> None:
        # Dask takes a second to import, and few have it.
        from frcnn_cli.proposals.remote import search_on_cluster

        for task, outcome in search_on_cluster(tasks, self._result.config, scheduler):
            self._note(task.path, outcome)

    def _missing(self) -> Iterator[SearchTask]:
        """Yields what is to be searched, noting on the way what is not."""
        result = self._result
        for path in self._paths:
            try:
                content = cached_content_hash(result.cache, path)
            except CacheError:
                raise
            except FrcnnError as error:
                self._note(path, error)
                continue
            key = self._key_of(content)
            is_imported = result.config.engine == "imported"
            boxes = load_proposals(result.cache, key) if is_imported or not self._force else None
            if boxes is not None:
                result.cached += 1
                self._count(path, len(boxes))
            elif is_imported:
                self._note(path, _not_imported(path, result.config))
            else:
                yield SearchTask(path, key, result.config, result.cache, self._force)

    def _note(self, path: Path, outcome: Found | FrcnnError | Lost) -> None:
        if isinstance(outcome, Found):
            self._result.searched += outcome.searched
            self._result.cached += not outcome.searched
            self._count(path, outcome.boxes)
            return
        if isinstance(outcome, CacheError):
            raise outcome
        self._result.failures[path] = (
            outcome if isinstance(outcome, FrcnnError) else error_of(path, outcome)
        )
        self._tell()

    def _count(self, path: Path, boxes: int) -> None:
        limit = self._result.config.max_proposals
        self._result.counts[path] = min(boxes, limit) if limit else boxes
        self._tell()

    def _tell(self) -> None:
        result = self._result
        self._progress(STEP, len(result.counts) + len(result.failures), len(self._paths))

    def _in_input_order(self, seconds: float) -> ProposalRun:
        result = self._result
        result.counts = {path: result.counts[path] for path in self._paths if path in result.counts}
        result.failures = {
            path: result.failures[path] for path in self._paths if path in result.failures
        }
        result.seconds = seconds
        return result


def proposal_keys(config: ProposalConfig) -> Callable[[str], str]:
    """Returns the function from a photograph's content hash to the key of its proposals.

    Raises:
        ProposalError: the engine is not installed.
    """
    if config.engine == "imported":
        return partial(imported_key, name=config.imported)
    return partial(proposal_key, config=config, library=library(config))


def _not_imported(path: Path, config: ProposalConfig) -> ProposalError:
    return ProposalError(
        f'no proposals were imported for it under the name "{config.imported}"',
        remedy="import them with frcnn proposals DATA --import FILE, or search with another engine",
        file=path,
    )


def error_of(path: Path, lost: Lost) -> ProposalError:
    """Returns why a photograph whose search did not come back has no proposals."""
    match lost:
        case TimedOut(seconds):
            return ProposalError(
                f"its search took more than {seconds:g} s",
                remedy="lower --max-side or raise --time-limit",
                file=path,
            )
        case WorkerDied(reason):
            return ProposalError(
                f"the process that searched it died ({reason})",
                remedy="try a smaller --max-side or fewer --workers",
                file=path,
            )
