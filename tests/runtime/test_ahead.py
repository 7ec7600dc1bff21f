"""Results of worker processes in the order of their tasks."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import pytest

from frcnn_cli.runtime.ahead import run_in_order
from frcnn_cli.runtime.process_pool import Work, WorkerDied
from support.waiting import wait_until


def work(task: int | Path) -> int:
    """Squares a number; a file is waited for, and -1 is fatal."""
    if isinstance(task, Path):
        wait_until(task.exists)
        return 0
    if task < 0:
        os.kill(os.getpid(), signal.SIGKILL)
    return task * task


def nothing() -> None:
    """Sets nothing up."""


@pytest.mark.parametrize("workers", [1, 3])
def test_results_come_in_order(workers: int) -> None:
    expected = [n * n if n >= 0 else WorkerDied("SIGKILL") for n in (*range(9), -1, *range(9))]
    found = run_in_order(Work(work, nothing), [*range(9), -1, *range(9)], workers)
    assert list(found) == expected


def test_few_results_wait_for_a_slow_one(tmp_path: Path) -> None:
    """With two workers, at most 2 · 2 tasks are given out while the first one takes long."""
    gate = tmp_path / "gate"
    read: list[int] = []

    def tasks():
        yield gate
        for n in range(1, 20):
            read.append(n)
            if n == 4:  # read, and held back: 0 is the gate, 1 to 3 are done
                gate.touch()
            yield n

    found = run_in_order(Work(work, nothing), tasks(), 2)
    assert next(found) == 0
    assert read[-1] == 4
    assert list(found) == [n * n for n in range(1, 20)]
