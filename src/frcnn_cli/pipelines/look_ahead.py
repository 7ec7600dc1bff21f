"""What is done for a photograph before the network, in processes of their own; without torch.

Decoding and region search take most of the time and one core each, so a folder keeps all cores busy
when several photographs are in work while the network looks at another.
"""

from __future__ import annotations

import time
from collections.abc import Generator, Iterable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
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
from frcnn_cli.pipelines.pool import Lost, run_all
from frcnn_cli.pipelines.proposals import error_of, proposals_for
from frcnn_cli.pipelines.region_search import set_up_worker
from frcnn_cli.records import FloatArray

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
        views: the photograph at each size of the network; none: make them again.
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


def prepare_all(tasks: Sequence[LookTask], workers: int) -> Generator[Prepared | FrcnnError]:
    """Yields what `prepare` returns, in the order of the tasks.

    Memory stays flat: where a photograph takes so long that many later ones wait for it, these lose
    their pixels and are decoded again when it is their turn.

    Args:
        tasks: photographs.
        workers: processes; 0 prepares in this one.
    """
    if not workers or len(tasks) <= 1:
        yield from map(prepare, tasks)
        return
    limit = tasks[0].proposals.time_limit
    set_up = partial(set_up_worker, tasks[0].proposals, alone=False)
    with closing(run_all(_prepare_numbered, enumerate(tasks), workers, set_up, limit)) as found:
        answers = ((number, task, result) for (number, task), result in found)
        for task, result in _in_order(answers):
            if isinstance(result, Prepared) and not result.views:
                yield prepare(task)
            elif isinstance(result, Lost):
                yield error_of(task.path, result)
            else:
                yield result


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


def _in_order(
    answers: Iterable[tuple[int, LookTask, Prepared | FrcnnError | Lost]],
) -> Iterator[tuple[LookTask, Prepared | FrcnnError | Lost]]:
    """Yields answers by number, which come in any order and are all there in the end."""
    waiting: dict[int, tuple[LookTask, Prepared | FrcnnError | Lost]] = {}
    following = 0
    for number, task, answer in answers:
        kept = answer
        if isinstance(answer, Prepared) and number != following and len(waiting) >= _MOST_WAITING:
            kept = replace(answer, views=())
        waiting[number] = task, kept
        while following in waiting:
            yield waiting.pop(following)
            following += 1
