"""Photographs → proposals in the cache, searched by all cores where they are missing."""

from __future__ import annotations

import logging
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from itertools import chain, islice
from pathlib import Path

import numpy as np
import numpy.typing as npt

from frcnn_cli.cache.keys import cached_content_hash
from frcnn_cli.cache.proposals import described, load_proposals, proposal_key, save_proposals
from frcnn_cli.cache.store import Cache
from frcnn_cli.config import ProposalConfig
from frcnn_cli.data.images import load_image
from frcnn_cli.errors import CacheError, FrcnnError, ProposalError
from frcnn_cli.pipelines.pool import WorkerDied, all_cores, run_all
from frcnn_cli.pipelines.progress import Progress, silent
from frcnn_cli.proposals import opencv
from frcnn_cli.proposals.search import library, require_engine, search
from frcnn_cli.records import FloatArray

STEP = "Searching regions"

_LOGGER = logging.getLogger(__name__)


@dataclass
class ProposalRun:
    """Which photographs have proposals, and those proposals, read when they are asked for.

    Attributes:
        config: how the regions were searched.
        cache: where they are kept.
        counts: boxes of each photograph that has them, in input order.
        failures: why the others have none, in input order.
        cached: photographs whose proposals were in the cache.
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
    key = proposal_key(cached_content_hash(cache, path), config, library(config))
    boxes = load_proposals(cache, key)
    if boxes is None:
        boxes = _search_and_keep(_Task(path, key, config, cache), image)
    return boxes[: config.max_proposals or None]


def ensure_proposals(
    paths: Iterable[Path],
    config: ProposalConfig,
    cache: Cache,
    *,
    workers: int = 0,
    force: bool = False,
    progress: Progress = silent,
) -> ProposalRun:
    """Searches the photographs whose proposals are not in the cache, and keeps what it finds.

    Each result is in the cache as soon as it is there, so an interrupted call loses only the
    photographs in work. A photograph that fails, or ends the process that searches it, is noted
    and the rest go on.

    Args:
        paths: photographs; one that is named twice counts once.
        config: how their regions are searched.
        cache: where they are kept.
        workers: processes; 0 is one for each core. One photograph is searched in this process.
        force: search again what is in the cache.
        progress: told after each photograph.

    Raises:
        ProposalError: OpenCV has no selective search.
        CacheError: the cache cannot be written.
    """
    search_run = _SearchRun(list(dict.fromkeys(paths)), config, cache, force, progress)
    return search_run.run(workers or all_cores())


@dataclass(frozen=True)
class _Task:
    path: Path
    key: str
    config: ProposalConfig
    cache: Cache


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
        self._library = library(config)

    def run(self, workers: int) -> ProposalRun:
        began = time.monotonic()
        self._progress(STEP, 0, len(self._paths))
        missing = self._missing()
        first = list(islice(missing, 2))
        if first:
            require_engine(self._result.config)
            self._result.cache.require_writable()
        if len(first) == 1:
            self._note(first[0].path, _search_safely(first[0]))
        elif first:
            tasks = chain(first, missing)
            with closing(run_all(_search_safely, tasks, workers, opencv.use_one_thread)) as found:
                for task, outcome in found:
                    self._note(task.path, outcome)
        return self._in_input_order(time.monotonic() - began)

    def _missing(self) -> Iterator[_Task]:
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
            key = proposal_key(content, result.config, self._library)
            boxes = None if self._force else load_proposals(result.cache, key)
            if boxes is None:
                yield _Task(path, key, result.config, result.cache)
            else:
                result.cached += 1
                self._count(path, len(boxes))

    def _note(self, path: Path, outcome: int | FrcnnError | WorkerDied) -> None:
        if isinstance(outcome, CacheError):
            raise outcome
        if isinstance(outcome, int):
            self._result.searched += 1
            self._count(path, outcome)
            return
        if isinstance(outcome, WorkerDied):
            outcome = ProposalError(
                f"the process that searched it died ({outcome.reason})",
                remedy="try a smaller --max-side or fewer --workers",
                file=path,
            )
        self._result.failures[path] = outcome
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


def _search_safely(task: _Task) -> int | FrcnnError:
    """Returns the number of boxes kept for a task, or why there are none; runs in a worker."""
    try:
        return len(_search_and_keep(task))
    except FrcnnError as error:
        return error
    except Exception as error:  # whatever it is, it must not stop the other photographs
        return ProposalError(f"{type(error).__name__}: {error}", file=task.path)


def _search_and_keep(task: _Task, image: npt.NDArray[np.uint8] | None = None) -> FloatArray:
    try:
        regions = search(load_image(task.path) if image is None else image, task.config)
    except ProposalError as error:
        raise ProposalError(error.problem, remedy=error.remedy, file=task.path) from error
    if regions.has_windows:
        _LOGGER.warning(
            "%s: too few regions found (%d), as in a flat picture; sliding windows are added",
            task.path,
            regions.found,
        )
    made_by = described(task.config, library(task.config))
    save_proposals(task.cache, task.key, regions.boxes, made_by)
    return regions.boxes
