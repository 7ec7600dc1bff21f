"""Images decoded, searched and resized ahead of the network, in other processes; without torch.

Decoding and region search take most of the time and one core each, so a folder keeps all cores busy
when several images are prepared while the network runs on another.
"""

from __future__ import annotations

import time
from collections.abc import Generator, Iterable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from functools import partial

from frcnn_cli.cache.store import Cache
from frcnn_cli.config import InputConfig, ProposalConfig
from frcnn_cli.detection.inputs import ImageInput
from frcnn_cli.detection.views import View, views_of
from frcnn_cli.errors import FrcnnError, ProposalError
from frcnn_cli.proposals.search import search
from frcnn_cli.proposals.service import error_of, missing_key, proposals_for
from frcnn_cli.proposals.worker import Found, SearchTask, set_up_worker
from frcnn_cli.records import FloatArray
from frcnn_cli.runtime.process_pool import Lost, Work, run_all

MAX_WAITING = 8
"""Images whose pixels are kept while an earlier one is still searched."""
_ASKED = 16
"""Images whose proposals are looked up in the cache before worker processes are started."""


@dataclass(frozen=True)
class Prepared:
    """An image that the network can take.

    Attributes:
        size: width and height of the image.
        proposals: (N, 4) float32 xyxy in its pixels.
        views: the image at each size of the network.
        seconds: of "decode" and "proposals".
    """

    size: tuple[int, int]
    proposals: FloatArray
    views: tuple[View, ...]
    seconds: dict[str, float]


@dataclass(frozen=True)
class ImageTask:
    """An image to prepare.

    Attributes:
        image: the image.
        config: how its regions are searched.
        cache: where proposals are kept; None keeps none.
        sizes: of the network.
    """

    image: ImageInput
    config: ProposalConfig
    cache: Cache | None
    sizes: tuple[InputConfig, ...]

    def needs_search(self) -> bool:
        """Returns whether its proposals are to be searched."""
        if self.image.proposals is not None:
            return False
        return self.image.path is None or self.cache is None or bool(self.missing_key())

    def missing_key(self) -> str:
        """Returns the key of the proposals, if they are to be searched; else ""."""
        image = self.image
        if image.path is None or image.proposals is not None or self.cache is None:
            return ""
        return missing_key(image.path, self.config, self.cache)


_Outcome = Prepared | FrcnnError | Lost | None
"""None: it is prepared here when it is its turn."""
_Answer = tuple[int, ImageTask, _Outcome]
"""The number of an image, its task, and the outcome."""


def prepare(task: ImageTask) -> Prepared | FrcnnError:
    """Decodes an image, searches its regions and resizes it, or returns why it cannot."""
    given, config = task.image, task.config
    try:
        start = time.perf_counter()
        image = given.load()
        decoded = time.perf_counter()
        if given.proposals is not None:
            boxes = given.proposals
        elif given.path is None or task.cache is None:
            boxes = search(image, config)[: config.cap]
        else:
            boxes = proposals_for(given.path, config, task.cache, image)
        searched = time.perf_counter()
        views = views_of(image, boxes, task.sizes, config.tiles)
    except FrcnnError as error:
        return error if error.file is not None else error.at(given.path)
    except Exception as error:  # whatever it is, it must not stop the other images
        return ProposalError(f"{type(error).__name__}: {error}", file=given.path)
    seconds = {
        "decode": decoded - start + time.perf_counter() - searched,
        "proposals": searched - decoded,
    }
    return Prepared((image.shape[1], image.shape[0]), boxes, views, seconds)


def needs_search(tasks: Sequence[ImageTask]) -> bool:
    """Returns whether some of a few images, evenly spread, have no proposals yet."""
    return any(task.needs_search() for task in _some(tasks))


def require_cache(tasks: Sequence[ImageTask]) -> None:
    """Tries to write proposals, before a search for each image comes to nothing.

    Raises:
        CacheError: some of a few images have none yet, and they cannot be kept.
    """
    searched = next((task for task in _some(tasks) if task.missing_key()), None)
    if searched is not None and searched.cache is not None:
        searched.cache.require_writable()


def _some(tasks: Sequence[ImageTask]) -> Sequence[ImageTask]:
    return tasks[:: max(1, len(tasks) // _ASKED)]


def prefetch(
    tasks: Sequence[ImageTask], workers: int, scheduler: str = ""
) -> Generator[Prepared | FrcnnError]:
    """Yields what `prepare` returns, in the order of the tasks, prepared by other processes.

    Memory stays flat: where an image takes so long that many later ones wait for it, these lose
    their pixels and are decoded again when it is their turn.

    Args:
        tasks: at least one; with a scheduler, files.
        workers: processes.
        scheduler: address of a Dask scheduler, whose workers search instead.

    Raises:
        FrcnnError: the processes or the cluster cannot be used.
    """
    answers = _from_cluster(tasks, scheduler) if scheduler else _from_processes(tasks, workers)
    with closing(answers):
        for task, answer in in_order(answers):
            if answer is None:
                yield prepare(task)
            elif isinstance(answer, Lost):
                yield error_of(task.image.path, answer)
            else:
                yield answer


def _from_processes(tasks: Sequence[ImageTask], workers: int) -> Generator[_Answer]:
    config = tasks[0].config
    set_up = partial(set_up_worker, config, alone=False)
    work = Work(_prepare_numbered, set_up, config.time_limit)
    with closing(run_all(work, enumerate(tasks), workers)) as found:
        for (number, task), answer in found:
            yield number, task, answer


def _from_cluster(tasks: Sequence[ImageTask], scheduler: str) -> Generator[_Answer]:
    """Has regions that the cache lacks searched elsewhere; the rest is done here, in turn."""
    from frcnn_cli.proposals.remote import search_on_cluster  # noqa: PLC0415  needs Dask

    numbers = {task.image.path: number for number, task in enumerate(tasks)}
    ready: list[int] = []

    def missing() -> Iterator[SearchTask]:
        for number, task in enumerate(tasks):
            path, cache, key = task.image.path, task.cache, task.missing_key()
            if key and path is not None and cache is not None:
                yield SearchTask(path, key, task.config, cache)
            else:
                ready.append(number)

    def drain() -> Iterator[_Answer]:
        while ready:
            number = ready.pop()
            yield number, tasks[number], None

    with closing(search_on_cluster(missing(), tasks[0].config, scheduler)) as found:
        for search, outcome in found:
            number = numbers[search.path]
            if isinstance(outcome, Found):
                ready.append(number)
            else:
                yield number, tasks[number], outcome
            yield from drain()
    yield from drain()


def _prepare_numbered(task: tuple[int, ImageTask]) -> Prepared | FrcnnError:
    return prepare(task[1])


def in_order(answers: Iterable[_Answer]) -> Iterator[tuple[ImageTask, _Outcome]]:
    """Yields answers by number, which come in any order and are all there in the end."""
    waiting: dict[int, tuple[ImageTask, _Outcome]] = {}
    following = 0
    for number, task, answer in answers:
        crowded = number != following and len(waiting) >= MAX_WAITING
        waiting[number] = task, None if crowded and isinstance(answer, Prepared) else answer
        while following in waiting:
            yield waiting.pop(following)
            following += 1
