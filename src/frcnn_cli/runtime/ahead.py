"""Work that is done before its result is asked for: by processes in order, or by a thread."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from functools import partial
from typing import TypeVar

from frcnn_cli.runtime.process_pool import Lost, Work, run_all

TaskT = TypeVar("TaskT")
ResultT = TypeVar("ResultT")


def read_ahead(source: Generator[ResultT], depth: int) -> Generator[ResultT]:
    """Yields the items of `source`, which a thread reads up to `depth` ahead."""
    done = object()
    pool = ThreadPoolExecutor(1)
    try:
        ahead = deque(pool.submit(next, source, done) for _ in range(depth))
        while (item := ahead.popleft().result()) is not done:
            ahead.append(pool.submit(next, source, done))
            yield item  # type: ignore[misc]
    finally:
        pool.shutdown(cancel_futures=True)
        source.close()


def run_in_order(
    work: Work[TaskT, ResultT], tasks: Iterable[TaskT], workers: int
) -> Generator[ResultT | Lost]:
    """Yields `work.function(task)` in the order of the tasks; see `run_all`.

    While a task takes long, no more than 2 · `workers` later ones are done, so memory stays flat.

    Args:
        work: what is done with each.
        tasks: in order.
        workers: number of processes.
    """
    waiting: dict[int, ResultT | Lost] = {}
    following = 0

    def numbered() -> Iterator[tuple[int, TaskT] | None]:
        for number, task in enumerate(tasks):
            while number >= following + 2 * workers:
                yield None
            yield number, task

    on_number = Work(partial(_on_task, work.function), work.setup, work.time_limit)
    with closing(run_all(on_number, numbered(), workers)) as done:
        for (number, _), result in done:
            waiting[number] = result
            while following in waiting:
                yield waiting.pop(following)
                following += 1


def _on_task(function: Callable[[TaskT], ResultT], numbered: tuple[int, TaskT]) -> ResultT:
    return function(numbered[1])
