"""Tasks on the machines of a Dask cluster, with the interface of `process_pool`.

The workers need frcnn, and nothing else of this machine: no disk is shared, a task travels with its
input and its result comes back. Importing this without Dask raises a ConfigError.
"""

from __future__ import annotations

import functools
import logging
import pickle
import threading
import time
import warnings
from collections.abc import Callable, Generator, Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from frcnn_cli._version import __version__
from frcnn_cli.errors import ConfigError, FrcnnError, importing
from frcnn_cli.runtime.process_pool import CollectedRecords, Lost, TimedOut, Work, WorkerDied

with importing("--scheduler needs Dask", remedy="pip install 'frcnn-cli[cluster]'"):
    import dask
    import distributed
    from distributed.comm.addressing import parse_address, parse_host_port

TaskT = TypeVar("TaskT")
ResultT = TypeVar("ResultT")

SECONDS_TO_CONNECT = 5
"""How long a scheduler may take to answer."""
_SECONDS_FOR_WORKERS = 10
_AHEAD = 2
"""Tasks in flight per thread of the cluster, so that no thread waits for its next one."""
_LARGEST_TASK = "4GB"
"""Raises the size at which Dask warns (10 MB): an image may be larger."""


def run_all(
    work: Work[TaskT, ResultT], tasks: Iterable[TaskT], scheduler: str
) -> Generator[tuple[TaskT, ResultT | Lost]]:
    """Yields (task, `work.function(task)`) as they are done, in any order.

    A task whose worker dies goes to another, up to the cluster's `allowed-failures`. One that
    exceeds its time is given up, and its worker is restarted if it has a nanny. Closing the
    iterator cancels the tasks in flight. At most two tasks per thread of the cluster are in memory.

    Args:
        work: what is done with each. Its setup raises FrcnnError where a worker cannot do it.
        tasks: read only as fast as they are done; each is pickled and sent.
        scheduler: its address, such as "tcp://10.0.0.1:8786".

    Raises:
        ConfigError: the scheduler cannot be reached or has no workers.
        FrcnnError: a worker cannot do the work, or the scheduler is gone.
    """
    with _connected(scheduler) as client:
        call = functools.partial(_call, work, __version__)
        _check_workers(client, functools.partial(_set_up, work.setup, __version__))
        yield from _Flow(client, call, scheduler).run(iter(tasks))


class _Flow(Generic[TaskT, ResultT]):
    """Tasks in flight."""

    def __init__(self, client: Any, call: Callable[[TaskT], _Answer], scheduler: str) -> None:
        self._client = client
        self._call = call
        self._scheduler = scheduler
        self._sent: dict[Any, TaskT] = {}
        self._limit = 0
        self._counted = -1.0

    def run(self, tasks: Iterator[TaskT]) -> Generator[tuple[TaskT, ResultT | Lost]]:
        done = distributed.as_completed(loop=self._client.loop)
        self._send(tasks, done)
        for future in done:
            task = self._sent.pop(future)
            result = self._take(future)
            self._send(tasks, done)
            yield task, result

    def _send(self, tasks: Iterator[TaskT], done: Any) -> None:
        """Sends tasks until enough are in flight."""
        if time.monotonic() - self._counted > 1:  # workers come and go
            self._limit = _AHEAD * max(1, sum(self._client.nthreads().values()))
            self._counted = time.monotonic()
        while len(self._sent) < self._limit:
            task = next(tasks, None)
            if task is None:
                return
            future = self._client.submit(self._call, task, pure=False)
            self._sent[future] = task
            done.add(future)

    def _take(self, future: Any) -> ResultT | Lost:
        try:
            error = future.exception()  # waits where the result was lost with its worker
            answer: _Answer | None = None if error else future.result()
        except (distributed.CancelledError, OSError) as problem:
            raise FrcnnError(
                f"the scheduler at {self._scheduler} is gone",
                remedy="start it again; the same command goes on from what is kept",
            ) from problem
        if isinstance(error, distributed.KilledWorker):
            return WorkerDied("and so did others that tried it")
        if answer is None:
            raise FrcnnError(
                f"a worker of {self._scheduler} cannot do the work ({_in_a_line(error)})",
                remedy=f"install frcnn-cli {__version__} on the workers",
            ) from error
        for record in answer.records:
            logging.getLogger(record.name).handle(record)
        if isinstance(answer.result, _Invalid):
            raise answer.result.error
        if isinstance(answer.result, TimedOut):
            # Its thread still runs the task, and without a nanny goes on to.
            with suppress(Exception):
                self._client.restart_workers([answer.worker], raise_for_error=False)
        result: ResultT | Lost = answer.result
        return result


@dataclass(frozen=True)
class _Invalid:
    """Stands for the result of a task on a worker that cannot do the work."""

    error: FrcnnError


@dataclass(frozen=True)
class _Answer:
    """Answer of a worker."""

    result: Any
    records: list[logging.LogRecord]
    worker: str


def _call(work: Work[TaskT, ResultT], version: str, task: TaskT) -> _Answer:
    """Runs a task; called in a worker."""
    worker = distributed.get_worker().address
    problem = _set_up(work.setup, version)
    records = _records()
    result: ResultT | TimedOut | _Invalid
    if problem:
        result = _Invalid(FrcnnError(f"worker {worker}: {problem}"))
    else:
        result = _run_within(functools.partial(work.function, task), work.time_limit)
    return _Answer(result, records.take(), worker)


def _set_up(setup: Callable[[], None], version: str) -> str:
    """Returns why this process cannot do the work; "" if it can."""
    if version != __version__:
        return (
            f"has frcnn {__version__}, and this is frcnn {version}; "
            f"pip install frcnn-cli=={version} there"
        )
    try:
        _set_up_once(setup)
    except FrcnnError as error:
        return str(error)
    return ""


_LOCK = threading.Lock()
_DONE: list[bytes] = []


def _set_up_once(setup: Callable[[], None]) -> None:
    name = pickle.dumps(setup)  # a new copy comes with every task
    with _LOCK:
        if name not in _DONE:
            setup()
            _DONE.append(name)


@functools.cache
def _records() -> CollectedRecords:
    records = CollectedRecords()
    logging.getLogger("frcnn_cli").addHandler(records)
    return records


def _run_within(work: Callable[[], ResultT], time_limit: float) -> ResultT | TimedOut:
    """Returns `work()`, or gives up after `time_limit` seconds (0: never) and lets it run on."""
    if not time_limit:
        return work()
    results: list[ResultT] = []
    thread = threading.Thread(target=lambda: results.append(work()), daemon=True)
    thread.start()
    thread.join(time_limit)
    return results[0] if results else TimedOut(time_limit)


@contextmanager
def _connected(scheduler: str) -> Iterator[Any]:
    for name in [each for each in logging.root.manager.loggerDict if _is_dask_logger(each)]:
        logging.getLogger(name).setLevel(logging.CRITICAL)  # this module reports it
    with dask.config.set({"distributed.admin.large-graph-warning-threshold": _LARGEST_TASK}):
        try:
            parse_host_port(parse_address(scheduler)[1])  # the client would report it late
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # versions of other packages that differ
                client = distributed.Client(
                    scheduler, timeout=SECONDS_TO_CONNECT, set_as_default=False
                )
        except (OSError, ValueError) as error:
            raise ConfigError(
                f"no Dask scheduler can be reached at {scheduler!r} ({_in_a_line(error)})",
                remedy="start one with `dask scheduler`, and use the address that it prints",
            ) from error
        try:
            yield client
        finally:
            with suppress(Exception):
                client.close(timeout=2)


def _is_dask_logger(logger: str) -> bool:
    return logger.split(".", maxsplit=1)[0] in {"distributed", "tornado"}


def _check_workers(client: Any, probe: Callable[[], str]) -> None:
    """Raises if there are no workers, or one cannot do the work."""
    try:
        client.wait_for_workers(1, timeout=_SECONDS_FOR_WORKERS)
    except distributed.TimeoutError as error:
        address = client.scheduler.address
        raise ConfigError(
            f"the scheduler at {address} has no workers",
            remedy=f"start some: dask worker {address}",
        ) from error
    for worker, answer in client.run(probe, on_error="return").items():
        if isinstance(answer, BaseException):
            raise FrcnnError(
                f"worker {worker} cannot do the work ({_in_a_line(answer)})",
                remedy=f"install frcnn-cli {__version__} there",
            ) from answer
        if answer:
            raise FrcnnError(f"worker {worker}: {answer}")


def _in_a_line(error: BaseException) -> str:
    text = str(error).strip().splitlines()
    return text[0] if text else type(error).__name__
