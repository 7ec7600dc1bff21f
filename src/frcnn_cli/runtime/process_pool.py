"""A pool of worker processes, for code that may crash the process that it runs in.

Each worker has a pipe of its own, so that a dead worker costs its own task only; the others go on.
Workers are spawned, not forked: a fork of a process with threads or a GPU may hang. They end with
the process that started them, however it ends and whatever they are doing.

Why not a library: the workers of Pebble 5.2 share one pipe and its lock, and an idle worker waits
while it holds that lock, so that killing one ends the whole pool ("Unexpected error within the
Pool", seen in each of two trials); loky marks its executor as broken when a worker dies, and has no
time limit per task. Neither ends its workers in mid-task when the parent process is killed.
"""

from __future__ import annotations

import logging
import multiprocessing
import os
import signal
import threading
import time
from collections.abc import Callable, Generator, Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from logging.handlers import QueueHandler
from multiprocessing import resource_tracker
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess
from typing import Any, Generic, TypeVar

from frcnn_cli.errors import FrcnnError
from frcnn_cli.runtime.child import exit_reason, safe_path
from frcnn_cli.runtime.interrupt import deferred_interrupt

TaskT = TypeVar("TaskT")
ResultT = TypeVar("ResultT")
DoneT_co = TypeVar("DoneT_co", covariant=True)

_LOGGER = logging.getLogger("frcnn_cli")
_RAISED = 1
"""Exit code of a Python process that an exception ended."""


@dataclass(frozen=True)
class WorkerDied:
    """Stands for the result of a task that ended its worker, twice.

    Attributes:
        reason: such as "SIGSEGV" or "exit code 3".
    """

    reason: str


@dataclass(frozen=True)
class TimedOut:
    """Stands for the result of a task that was ended because it took too long.

    Attributes:
        seconds: the time limit.
    """

    seconds: float


Lost = WorkerDied | TimedOut
"""Why a task has no result."""


@dataclass(frozen=True)
class Work(Generic[TaskT, DoneT_co]):
    """Function that worker processes call with each task.

    Attributes:
        function: importable by its name; never raises.
        setup: called once in each new process.
        time_limit: seconds per task, counted from when its process is set up; 0: no limit.
    """

    function: Callable[[TaskT], DoneT_co]
    setup: Callable[[], None]
    time_limit: float = 0


def run_all(
    work: Work[TaskT, ResultT], tasks: Iterable[TaskT | None], workers: int
) -> Generator[tuple[TaskT, ResultT | Lost]]:
    """Yields (task, `work.function(task)`) as they are done, in any order.

    A task whose worker dies is tried once more, in a new process, since the cause may be that other
    processes took the memory; one that takes too long is not. Closing the iterator kills the
    workers at once.

    Args:
        work: what is done with each.
        tasks: read only as fast as they are done, at most one per worker ahead. None stands for
            no task until one of those that are not yielded yet has been.
        workers: number of processes, at least 1.

    Raises:
        FrcnnError: the processes cannot be started.
    """
    source = iter(tasks)
    retries: list[TaskT] = []
    retried: list[TaskT] = []
    idle: list[_Worker[TaskT, ResultT]] = []
    busy: dict[Any, _Worker[TaskT, ResultT]] = {}
    done: list[tuple[TaskT, ResultT | Lost]] = []
    try:
        while True:
            while len(busy) < workers:
                task = retries.pop() if retries else next(source, None)
                if task is None:
                    break
                worker = _pick(idle, fresh=task in retried) or _Worker(work)
                worker.give(task)
                busy[worker.connection] = worker
            # Results are yielded after new tasks are sent: workers run while the caller does.
            yielded, done = done, []
            yield from yielded
            if not busy:
                if yielded:
                    continue  # the source may have waited for them
                return
            wait(list(busy), _seconds_to_time_limit(busy.values()))
            for worker in list(busy.values()):
                result = worker.take()
                if isinstance(result, _Pending):
                    continue
                del busy[worker.connection]
                if not isinstance(result, WorkerDied | TimedOut):
                    idle.append(worker)
                elif isinstance(result, WorkerDied) and worker.task not in retried:
                    retried.append(worker.task)
                    retries.append(worker.task)
                    continue
                done.append((worker.task, result))
    finally:
        for worker in (*idle, *busy.values()):
            worker.end()


class _Pending:
    """Stands for the result of a task that is not done."""


class _Worker(Generic[TaskT, ResultT]):
    """A process that does one task after another, seen from its parent."""

    task: TaskT

    def __init__(self, work: Work[TaskT, ResultT]) -> None:
        context = multiprocessing.get_context("spawn")
        self.connection, theirs = context.Pipe()
        arguments = (theirs, work, _LOGGER.getEffectiveLevel())
        self.process: BaseProcess = context.Process(target=_serve, args=arguments, daemon=True)
        self._time_limit = work.time_limit
        self._is_set_up = False
        self._began = 0.0
        with safe_path(), interrupts_held_back():
            self.process.start()
        theirs.close()

    def give(self, task: TaskT) -> None:
        """Sends `task`; if the worker is dead, `take` finds out."""
        self.task = task
        self._began = time.monotonic()
        with suppress(OSError):
            self.connection.send(task)

    def time_left(self) -> float | None:
        """Returns the seconds that its task may still take; None: no limit."""
        if not (self._time_limit and self._is_set_up):
            return None
        return max(0.0, self._began + self._time_limit - time.monotonic())

    def take(self) -> ResultT | Lost | _Pending:
        """Returns the result of the task, or why it is lost, or that it is pending."""
        try:
            while self.connection.poll():
                message = self.connection.recv()
                if message is not None:
                    result: ResultT
                    result, records = message
                    for record in records:
                        logging.getLogger(record.name).handle(record)
                    return result
                self._is_set_up = True
                self._began = time.monotonic()
        except (EOFError, OSError):
            return self._died()
        if self.time_left() == 0:
            self.end()
            return TimedOut(self._time_limit)
        return _Pending()

    def end(self) -> None:
        """Kills the process, in mid-task too."""
        self.process.kill()
        self.process.join()
        self.connection.close()

    def _died(self) -> WorkerDied:
        self.process.join()
        self.connection.close()
        code = self.process.exitcode or 0
        if code == _RAISED:
            raise FrcnnError(
                "a worker process could not start",
                remedy='a script needs `if __name__ == "__main__":` around what starts them',
            )
        return WorkerDied(exit_reason(code))


def _pick(idle: list[_Worker[TaskT, ResultT]], *, fresh: bool) -> _Worker[TaskT, ResultT] | None:
    """Returns an idle worker; None if there is none, or if a `fresh` one is to take its place."""
    worker = idle.pop() if idle else None
    if worker is not None and fresh:
        worker.end()  # it may have died while it was idle
        return None
    return worker


def _seconds_to_time_limit(workers: Iterable[_Worker[TaskT, ResultT]]) -> float | None:
    """Returns the seconds until the first of `workers` reaches its time limit; None: no limit."""
    left = [seconds for worker in workers if (seconds := worker.time_left()) is not None]
    return min(left, default=None)


def _serve(connection: Connection[Any, Any], work: Work[TaskT, ResultT], level: int) -> None:
    """Runs tasks in a worker until `connection` is closed or the parent process is gone."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent handles Ctrl-C
    threading.Thread(target=_end_with_parent, daemon=True).start()
    work.setup()  # its log records are dropped: the parent has logged the same
    records = CollectedRecords()
    _LOGGER.addHandler(records)
    _LOGGER.setLevel(level)
    with suppress(EOFError, ConnectionError):
        connection.send(None)  # set up: the clock of the first task starts
        while True:
            result = work.function(connection.recv())
            connection.send((result, records.take()))


def _end_with_parent() -> None:
    """Ends this process as soon as its parent is gone, in mid-task too."""
    parent = multiprocessing.parent_process()
    assert parent is not None
    parent.join()
    os._exit(0)


class CollectedRecords(QueueHandler):
    """Collects the log records of a worker for its parent."""

    def __init__(self) -> None:
        super().__init__(queue=None)  # type: ignore[arg-type]
        self._records: list[logging.LogRecord] = []

    def enqueue(self, record: logging.LogRecord) -> None:
        """Keeps a record."""
        self._records.append(record)

    def take(self) -> list[logging.LogRecord]:
        """Returns the records since the last call."""
        records, self._records = self._records, []
        return records


@contextmanager
def interrupts_held_back() -> Iterator[None]:
    """Keeps Ctrl-C from a process that is being started, which would print a traceback.

    A new process inherits which signals are blocked, and so never sees this one. Here another
    thread may take it, and Python then interrupts the main thread all the same: it is deferred too.
    """
    if not hasattr(signal, "pthread_sigmask"):
        yield
        return
    resource_tracker.ensure_running()  # the first start would, and unblock the signal on the way
    with deferred_interrupt() as pressed:
        before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
        try:
            yield
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, before)
    if pressed():
        signal.raise_signal(signal.SIGINT)
