"""Region search on machines that do not share this one's disk.

The bytes of an image's file travel there and its boxes come back; the cache is written here.
"""

from __future__ import annotations

import tempfile
from collections.abc import Generator, Iterable, Iterator
from contextlib import closing
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from frcnn_cli.cache.proposals import described, save_proposals
from frcnn_cli.config import ProposalConfig
from frcnn_cli.data.images import load_image
from frcnn_cli.errors import DataError, FrcnnError, ProposalError
from frcnn_cli.files import reading
from frcnn_cli.proposals.search import library, search
from frcnn_cli.proposals.worker import Found, SearchTask, set_up_worker
from frcnn_cli.records import FloatArray
from frcnn_cli.runtime import dask as cluster
from frcnn_cli.runtime.process_pool import Lost, Work


@dataclass(frozen=True)
class _Parcel:
    """A search task with the bytes of the image's file.

    Attributes:
        task: the search.
        content: the bytes.
    """

    task: SearchTask
    content: bytes


def search_on_cluster(
    tasks: Iterable[SearchTask], config: ProposalConfig, scheduler: str
) -> Generator[tuple[SearchTask, Found | FrcnnError | Lost]]:
    """Yields each task with its outcome, as they are done; boxes go into the cache here.

    Args:
        tasks: images to search.
        config: settings of the search.
        scheduler: address of the Dask scheduler.

    Raises:
        FrcnnError: the cluster cannot be used.
        CacheError: the cache cannot be written.
    """
    unreadable: list[tuple[SearchTask, FrcnnError]] = []
    parcels = _parcels(tasks, unreadable)
    engine = library(config)
    work = Work(_search_parcel, partial(_set_up_remotely, config, engine), config.time_limit)
    with closing(cluster.run_all(work, parcels, scheduler)) as found:
        for parcel, outcome in found:
            if isinstance(outcome, FrcnnError | Lost):
                yield parcel.task, outcome
            else:
                made_by = described(config, engine)
                save_proposals(parcel.task.cache, parcel.task.key, outcome, made_by)
                yield parcel.task, Found(len(outcome), searched=True)
    yield from unreadable


def _parcels(
    tasks: Iterable[SearchTask], unreadable: list[tuple[SearchTask, FrcnnError]]
) -> Iterator[_Parcel]:
    for task in tasks:
        try:
            with reading(task.path):
                content = task.path.read_bytes()
        except DataError as problem:
            unreadable.append((task, problem))
        else:
            yield _Parcel(task, content)


def _set_up_remotely(config: ProposalConfig, expected: str) -> None:
    """Raises if a worker would search differently from this machine: the cache key names it."""
    if library(config) != expected:
        raise ProposalError(
            f"searches with {library(config)}, and here it is {expected}",
            remedy="install the same opencv-contrib-python on both",
        )
    set_up_worker(config, alone=False)


def _search_parcel(parcel: _Parcel) -> FloatArray | FrcnnError:
    """Returns the boxes (N, 4) of an image, or why there are none; runs in a worker."""
    path = parcel.task.path
    try:
        with tempfile.TemporaryDirectory(prefix="frcnn-") as folder:
            file = Path(folder) / "image"
            file.write_bytes(parcel.content)
            image = load_image(file)
        return search(image, parcel.task.config, path)
    except FrcnnError as error:
        return error.at(path)
    except Exception as error:  # whatever it is, it must not stop the other images
        return ProposalError(f"{type(error).__name__}: {error}", file=path)
