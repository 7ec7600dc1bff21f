"""Work spread over processes, for code that may crash the process that it runs in.

Each worker has a pipe of its own, so it is known which task a dead worker was at; the others go on.
Workers are spawned, not forked: a fork of a process with threads or a GPU may hang.
"""

from __future__ import annotations

import logging
import multiprocessing
import os
import signal
from collections.abc import Callable, Generator, Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from logging.handlers import QueueHandler
from multiprocessing import resource_tracker
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess
from typing import Any, Generic, TypeVar

from frcnn_cli.errors import FrcnnError
from frcnn_cli.pipelines.interrupt import deferred_interrupt

TaskT = TypeVar("TaskT")
ResultT = TypeVar("ResultT")

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


def all_cores() -> int:
    """Returns how many cores this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def run_all(
    function: Callable[[TaskT], ResultT],
    tasks: Iterable[TaskT],
    workers: int,
    setup: Callable[[], None],
) -> Generator[tuple[TaskT, ResultT | WorkerDied]]:
    """Yields (task, `function(task)`) as they are done, in any order.

    A task whose worker dies gets a second chance, since the cause may be want of memory that others
    took. Closing the iterator ends the workers at once, whatever they are at.

    Args:
        function: importable by its name, and never raises.
        tasks: read only as fast as they are worked on.
        workers: processes, at least 1.
        setup: called once in each new process.

    Raises:
        FrcnnError: the processes cannot be started.
    """
    source = iter(tasks)
    again: list[TaskT] = []
    failed_once: list[TaskT] = []
    idle: list[_Worker[TaskT, ResultT]] = []
    busy: dict[Any, _Worker[TaskT, ResultT]] = {}
    try:
        while True:
            while len(busy) < workers:
                task = again.pop() if again else next(source, None)
                if task is None:
                    break
                worker = idle.pop() if idle else _Worker(function, setup)
                worker.give(task)
                busy[worker.connection] = worker
            if not busy:
                return
            for connection in wait(list(busy)):
                worker = busy.pop(connection)
                result = worker.take()
                if not isinstance(result, WorkerDied):
                    idle.append(worker)
                elif worker.task not in failed_once:
                    failed_once.append(worker.task)
                    again.append(worker.task)
                    continue
                yield worker.task, result
    finally:
        for worker in (*idle, *busy.values()):
            worker.end()


class _Worker(Generic[TaskT, ResultT]):
    """A process that does one task after another, seen from the outside."""

    task: TaskT

    def __init__(self, function: Callable[[TaskT], ResultT], setup: Callable[[], None]) -> None:
        context = multiprocessing.get_context("spawn")
        self.connection, theirs = context.Pipe()
        arguments = (theirs, function, setup, _LOGGER.getEffectiveLevel())
        self.process: BaseProcess = context.Process(target=_serve, args=arguments, daemon=True)
        with _interrupts_held_back():
            self.process.start()
        theirs.close()

    def give(self, task: TaskT) -> None:
        """Sends `task`; that the worker is dead shows when its result is taken."""
        self.task = task
        with suppress(OSError):
            self.connection.send(task)

    def take(self) -> ResultT | WorkerDied:
        """Receives the result of the task, or what the worker died of."""
        result: ResultT
        try:
            result, records = self.connection.recv()
        except (EOFError, OSError):
            return self._died()
        for record in records:
            logging.getLogger(record.name).handle(record)
        return result

    def end(self) -> None:
        """Ends the process, whatever it is at."""
        self.process.terminate()
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
        return WorkerDied(signal.Signals(-code).name if code < 0 else f"exit code {code}")


def _serve(
    connection: Connection[Any, Any],
    function: Callable[[TaskT], ResultT],
    setup: Callable[[], None],
    level: int,
) -> None:
    """The life of a worker: until the other end of `connection` is closed, or its process gone."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the process that started us
    records = _Records()
    _LOGGER.addHandler(records)
    _LOGGER.setLevel(level)
    setup()
    with suppress(EOFError, ConnectionError):
        while True:
            result = function(connection.recv())
            connection.send((result, records.taken()))


class _Records(QueueHandler):
    """Collects log records for the process that has a terminal."""

    def __init__(self) -> None:
        super().__init__(queue=None)  # type: ignore[arg-type]
        self._records: list[logging.LogRecord] = []

    def enqueue(self, record: logging.LogRecord) -> None:
        self._records.append(record)

    def taken(self) -> list[logging.LogRecord]:
        """Returns what came since the last call."""
        records, self._records = self._records, []
        return records


@contextmanager
def _interrupts_held_back() -> Iterator[None]:
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
