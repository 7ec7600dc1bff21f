"""Proposals of many images: read from the cache, or searched by all cores."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator
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
from frcnn_cli.data.images import load_image
from frcnn_cli.errors import CacheError, FrcnnError, ProposalError
from frcnn_cli.proposals.search import library, require_engine
from frcnn_cli.proposals.worker import (
    AlreadyClaimed,
    Found,
    SearchTask,
    search_and_keep,
    search_once,
    set_up_worker,
)
from frcnn_cli.records import FloatArray
from frcnn_cli.runtime.cores import all_cores
from frcnn_cli.runtime.process_pool import Lost, TimedOut, Work, WorkerDied, run_all
from frcnn_cli.runtime.progress import Progress, silent

STEP = "Finding proposals"


@dataclass
class ProposalRun:
    """The images that have proposals, and those proposals, read on demand.

    Attributes:
        config: settings of the search.
        cache: where the proposals are kept.
        counts: number of boxes per image that has them, in input order.
        failures: why the others have none, in input order.
        cached: images whose proposals were in the cache, or were put there meanwhile.
        searched: images that were searched.
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
        """Returns the proposals (N, 4) of an image, best first; see `proposals_for`.

        Raises:
            FrcnnError: why this image has none.
        """
        if path in self.failures:
            raise self.failures[path]
        return proposals_for(path, self.config, self.cache, image)

    def note(self, path: Path, outcome: Found | FrcnnError | Lost) -> None:
        """Counts the outcome of an image; raises if the cache itself failed."""
        match outcome:
            case Found(boxes, searched):
                self.searched += searched
                self.cached += not searched
                self.counts[path] = min(boxes, self.config.cap or boxes)
            case CacheError():
                raise outcome
            case FrcnnError():
                self.failures[path] = outcome
            case _:
                self.failures[path] = error_of(path, outcome)


def proposals_for(
    path: Path,
    config: ProposalConfig,
    cache: Cache,
    image: npt.NDArray[np.uint8] | None = None,
) -> FloatArray:
    """Returns the proposals (N, 4) of one image, searched in this process if they are missing.

    They are at most `config.max_proposals`, best first: float32 xyxy in pixels of the image.

    Args:
        path: the image.
        config: settings of the search.
        cache: where the proposals are kept.
        image: (H, W, 3) RGB, upright, if it is decoded already.

    Raises:
        FrcnnError: the image cannot be read or searched, or the cache cannot be written.
    """
    key = proposal_keys(config)(cached_content_hash(cache, path))
    boxes = load_proposals(cache, key)
    if boxes is None:
        if config.engine == "imported":
            raise _not_imported(path, config)
        pixels = load_image(path) if image is None else image
        boxes = search_and_keep(pixels, SearchTask(path, key, config, cache))
    return boxes[: config.cap]


def missing_key(path: Path, config: ProposalConfig, cache: Cache) -> str:
    """Returns the key of an image's proposals if they are missing and can be searched, else "".

    `proposals_for` raises what is wrong with an image.

    Args:
        path: the image.
        config: settings of the search.
        cache: where the proposals are kept.
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
    """Searches the images whose proposals are not in the cache, and keeps the results.

    Each result is written as soon as it is there, so an interrupted call loses only the images in
    work. An image that fails, takes too long, or crashes the process that searches it is noted and
    the rest go on. Images are searched in processes of their own, a single one too, so that none
    can crash this one.

    Args:
        paths: images; one that is named twice counts once.
        config: settings of the search.
        cache: where the proposals are kept.
        workers: processes; 0: one per core.
        force: whether to search again what is in the cache.
        scheduler: address of a Dask scheduler whose workers search instead; "": search here.
        progress: called after each image.

    Raises:
        ProposalError: OpenCV has no selective search.
        CacheError: the cache cannot be written.
    """
    began = time.monotonic()
    workers = workers or all_cores()
    paths = list(dict.fromkeys(paths))
    run = ProposalRun(config, cache)

    def note(path: Path, outcome: Found | FrcnnError | Lost) -> None:
        run.note(path, outcome)
        progress(STEP, len(run.counts) + len(run.failures), len(paths))

    progress(STEP, 0, len(paths))
    missing = _missing(paths, run, force, note)
    first = list(islice(missing, 2))
    if first:
        require_engine(config)
        cache.require_writable()
    tasks: Iterable[SearchTask] = chain(first, missing) if first else ()
    set_up = partial(set_up_worker, config, alone=len(first) == 1 < workers)
    work = Work(search_once, set_up, config.time_limit)
    while tasks:
        claimed_by_others = []
        if not scheduler:
            outcomes = run_all(work, tasks, workers)
        else:
            # Dask takes a second to import, and few have it.
            from frcnn_cli.proposals.remote import search_on_cluster

            outcomes = search_on_cluster(tasks, config, scheduler)
        with closing(outcomes):
            for task, outcome in outcomes:
                if isinstance(outcome, AlreadyClaimed):
                    claimed_by_others.append(replace(task, wait=True))
                else:
                    note(task.path, outcome)
        tasks = claimed_by_others  # searched, or waited for, once the others are done
    run.counts = {path: run.counts[path] for path in paths if path in run.counts}
    run.failures = {path: run.failures[path] for path in paths if path in run.failures}
    run.seconds = time.monotonic() - began
    return run


def _missing(
    paths: Iterable[Path],
    run: ProposalRun,
    force: bool,
    note: Callable[[Path, Found | FrcnnError], None],
) -> Iterator[SearchTask]:
    """Yields the images to search; notes those that are cached or cannot be read."""
    config, cache = run.config, run.cache
    key_of = proposal_keys(config)
    is_imported = config.engine == "imported"
    for path in paths:
        try:
            content = cached_content_hash(cache, path)
        except FrcnnError as error:
            note(path, error)
            continue
        key = key_of(content)
        boxes = load_proposals(cache, key) if is_imported or not force else None
        if boxes is not None:
            note(path, Found(len(boxes), searched=False))
        elif is_imported:
            note(path, _not_imported(path, config))
        else:
            yield SearchTask(path, key, config, cache, force)


def proposal_keys(config: ProposalConfig) -> Callable[[str], str]:
    """Returns the function from an image's content hash to the key of its proposals.

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


def error_of(path: Path | None, lost: Lost) -> ProposalError:
    """Returns why an image has no proposals whose search was lost."""
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
