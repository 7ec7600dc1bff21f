"""What is done for a photograph before the network, in processes of their own; without torch.

Decoding and region search take most of the time and one core each, so a folder keeps all cores busy
when several photographs are in work while the network looks at another.
"""

from __future__ import annotations

import time
from collections.abc import Generator, Iterable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from frcnn_cli.cache.store import Cache
from frcnn_cli.config import InputConfig, ProposalConfig
from frcnn_cli.data.images import load_image
from frcnn_cli.data.resize import resize
from frcnn_cli.errors import FrcnnError, ProposalError
from frcnn_cli.proposals.service import error_of, missing_key, proposals_for
from frcnn_cli.proposals.worker import Found, SearchTask, set_up_worker
from frcnn_cli.records import FloatArray
from frcnn_cli.runtime.process_pool import Lost, run_all

NEAREST_AREA = 224.0**2
"""Pixels of a RoI at the scale that is right for it (§2.4, after SPPnet)."""
_MOST_WAITING = 8
"""Photographs whose pixels are kept while an earlier one is searched for long."""


class View(NamedTuple):
    """A photograph at one size, and the proposals that are looked at there.

    Attributes:
        pixels: (h, w, 3) uint8, RGB.
        rois: (R, 4) float32 xyxy in `pixels`.
        places: (R,) int64, which proposals they are.
    """

    pixels: npt.NDArray[np.uint8]
    rois: FloatArray
    places: npt.NDArray[np.int64]


@dataclass(frozen=True)
class Prepared:
    """A photograph that the network can look at.

    Attributes:
        size: width and height of the photograph.
        proposals: (N, 4) float32 xyxy in its pixels.
        views: the photograph at each size of the network.
        seconds: of "decode" and "proposals".
    """

    size: tuple[int, int]
    proposals: FloatArray
    views: tuple[View, ...]
    seconds: dict[str, float]


@dataclass(frozen=True)
class LookTask:
    """A photograph to prepare.

    Attributes:
        path: the photograph.
        proposals: how its regions are searched.
        cache: where they are kept.
        sizes: of the network.
    """

    path: Path
    proposals: ProposalConfig
    cache: Cache
    sizes: tuple[InputConfig, ...]


_Outcome = Prepared | FrcnnError | Lost | None
"""None: to be prepared here when it is its turn."""
_Answer = tuple[int, LookTask, _Outcome]
"""The number of a photograph, itself, and what came of it."""


def prepare(task: LookTask) -> Prepared | FrcnnError:
    """Decodes a photograph, searches its regions and resizes it, or returns why it cannot."""
    try:
        start = time.perf_counter()
        image = load_image(task.path)
        decoded = time.perf_counter()
        boxes = proposals_for(task.path, task.proposals, task.cache, image)
        searched = time.perf_counter()
        views = views_of(image, boxes, task.sizes)
    except FrcnnError as error:
        return error
    except Exception as error:  # whatever it is, it must not stop the other photographs
        return ProposalError(f"{type(error).__name__}: {error}", file=task.path)
    seconds = {
        "decode": decoded - start + time.perf_counter() - searched,
        "proposals": searched - decoded,
    }
    return Prepared((image.shape[1], image.shape[0]), boxes, views, seconds)


def prepare_all(
    tasks: Sequence[LookTask], workers: int, scheduler: str = ""
) -> Generator[Prepared | FrcnnError]:
    """Yields what `prepare` returns, in the order of the tasks.

    Memory stays flat: where a photograph takes so long that many later ones wait for it, these lose
    their pixels and are decoded again when it is their turn.

    Args:
        tasks: photographs.
        workers: processes; 0 prepares in this one.
        scheduler: address of a Dask scheduler, whose workers search instead.

    Raises:
        FrcnnError: the processes or the cluster cannot be used.
    """
    if not scheduler and (not workers or len(tasks) <= 1):
        yield from map(prepare, tasks)
        return
    answers = _from_cluster(tasks, scheduler) if scheduler else _from_processes(tasks, workers)
    with closing(answers):
        for task, answer in _in_order(answers):
            if answer is None:
                yield prepare(task)
            elif isinstance(answer, Lost):
                yield error_of(task.path, answer)
            else:
                yield answer


def _from_processes(tasks: Sequence[LookTask], workers: int) -> Generator[_Answer]:
    config = tasks[0].proposals
    set_up = partial(set_up_worker, config, alone=False)
    numbered = enumerate(tasks)
    with closing(run_all(_prepare_numbered, numbered, workers, set_up, config.time_limit)) as found:
        for (number, task), answer in found:
            yield number, task, answer


def _from_cluster(tasks: Sequence[LookTask], scheduler: str) -> Generator[_Answer]:
    """Has regions searched elsewhere where the cache has none; the rest is done here, in turn."""
    from frcnn_cli.proposals.remote import search_on_cluster  # noqa: PLC0415  needs Dask

    numbers = {task.path: number for number, task in enumerate(tasks)}
    ready: list[int] = []

    def missing() -> Iterator[SearchTask]:
        for number, task in enumerate(tasks):
            key = missing_key(task.path, task.proposals, task.cache)
            if key:
                yield SearchTask(task.path, key, task.proposals, task.cache)
            else:
                ready.append(number)

    def drain() -> Iterator[_Answer]:
        while ready:
            number = ready.pop()
            yield number, tasks[number], None

    with closing(search_on_cluster(missing(), tasks[0].proposals, scheduler)) as found:
        for search, outcome in found:
            number = numbers[search.path]
            if isinstance(outcome, Found):
                ready.append(number)
            else:
                yield number, tasks[number], outcome
            yield from drain()
    yield from drain()


def views_of(
    image: npt.NDArray[np.uint8], boxes: FloatArray, sizes: Sequence[InputConfig]
) -> tuple[View, ...]:
    """Returns a photograph at the sizes of the network, each box at the one where it is best.

    Best is the size at which the box's area is nearest to 224² pixels (§2.4). A size that no box
    is best at is left out, but for one.

    Args:
        image: (H, W, 3) uint8.
        boxes: (N, 4) xyxy in its pixels.
        sizes: at least one.
    """
    resized = [resize(image, size) for size in sizes]
    area = (boxes[:, 2] - boxes[:, 0]) * (boxes[:, 3] - boxes[:, 1])
    factors = np.array([each.scale[0] * each.scale[1] for each in resized])
    best = np.abs(area[:, None] * factors - NEAREST_AREA).argmin(axis=1)
    views = []
    for number, each in enumerate(resized):
        places = np.flatnonzero(best == number)
        if len(places) or (not len(boxes) and number == 0):
            views.append(View(each.pixels, boxes[places] * each.scale, places))
    return tuple(views)


def _prepare_numbered(task: tuple[int, LookTask]) -> Prepared | FrcnnError:
    return prepare(task[1])


def _in_order(answers: Iterable[_Answer]) -> Iterator[tuple[LookTask, _Outcome]]:
    """Yields answers by number, which come in any order and are all there in the end."""
    waiting: dict[int, tuple[LookTask, _Outcome]] = {}
    following = 0
    for number, task, answer in answers:
        crowded = number != following and len(waiting) >= _MOST_WAITING
        waiting[number] = task, None if crowded and isinstance(answer, Prepared) else answer
        while following in waiting:
            yield waiting.pop(following)
            following += 1
