"""A pool whose workers may die."""

from __future__ import annotations

import multiprocessing
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from frcnn_cli.errors import FrcnnError
from frcnn_cli.runtime.process_pool import TimedOut, Work, WorkerDied, run_all
from support.pool_tasks import fail_to_start, nothing, set_up_slowly, work
from support.waiting import wait_until


def results(tasks, workers=2, time_limit=0):
    return dict(run_all(Work(work, nothing, time_limit), tasks, workers))


@pytest.mark.parametrize("workers", [1, 2])
def test_all_tasks_are_done(workers):
    assert results(range(20), workers) == {n: n * n for n in range(20)}


def test_no_tasks_start_no_process():
    assert results([]) == {}
    assert not multiprocessing.active_children()


def test_a_task_that_kills_its_worker_is_named_and_the_others_go_on():
    killers = [("signal", signal.SIGKILL), ("signal", signal.SIGSEGV), ("exit", 7)]
    done = results([0, killers[0], 1, killers[1], killers[2], 2, 3])
    assert [done[killer] for killer in killers] == [
        WorkerDied("SIGKILL"),
        WorkerDied("SIGSEGV"),
        WorkerDied("exit code 7"),
    ]
    assert [done[n] for n in range(4)] == [0, 1, 4, 9]


def test_a_task_gets_a_second_chance(tmp_path):
    task = ("once", str(tmp_path / "flag"))
    assert results([task, 1]) == {task: "once", 1: 1}


@pytest.mark.slow
def test_workers_killed_while_idle_cost_no_task():
    done = []

    def tasks():
        yield from (1, 2)
        while len(done) < 2:
            yield None
        for child in multiprocessing.active_children():
            child.kill()
            child.join()
        yield 3

    for task, result in run_all(Work(work, nothing), tasks(), 2):
        assert result == task * task
        done.append(task)
    assert sorted(done) == [1, 2, 3]


def test_tasks_that_hang_are_given_up_and_the_others_go_on():
    hang, also = ("sleep", 3600), ("sleep", 3601)
    done = results([hang, 0, also, *range(1, 6)], time_limit=1)
    assert done == {hang: TimedOut(1), also: TimedOut(1), **{n: n * n for n in range(6)}}
    assert not multiprocessing.active_children()


def test_the_clock_starts_when_the_worker_is_set_up():
    assert list(run_all(Work(work, set_up_slowly, 1), [3], 1)) == [(3, 9)]


def test_workers_that_cannot_start_are_an_error():
    with pytest.raises(FrcnnError, match="could not start"):
        list(run_all(Work(work, fail_to_start), range(9), 2))
    assert not multiprocessing.active_children()


def test_closing_ends_workers_in_the_middle_of_their_work():
    done = run_all(Work(work, nothing), [1, ("sleep", 3600)], 2)
    assert next(done) == (1, 1)
    done.close()
    assert not multiprocessing.active_children()


def test_log_records_come_home(caplog):
    results([("log", "a"), ("log", "b")])
    assert sorted(caplog.messages) == ["a was seen", "b was seen"]


def test_tasks_are_read_only_as_they_are_worked_on():
    read = []

    def tasks():
        for n in range(50):
            read.append(n)
            yield n

    done = run_all(Work(work, nothing), tasks(), 2)
    next(done)
    assert len(read) <= 4
    done.close()


ORPHANED = """
import os, sys, time
from frcnn_cli.runtime import process_pool as pool

def hang(name):
    open(name, "w").write(str(os.getpid()))
    time.sleep(3600)

def nothing():
    pass

if __name__ == "__main__":
    next(pool.run_all(pool.Work(hang, nothing), sys.argv[1:], 2))
"""


def test_workers_do_not_outlive_a_killed_parent_even_when_they_hang(tmp_path):
    script = tmp_path / "script.py"
    script.write_text(ORPHANED)
    names = [tmp_path / "a", tmp_path / "b"]
    parent = subprocess.Popen([sys.executable, script, *names])
    wait_until(lambda: all(name.exists() and name.read_text() for name in names), parent)
    parent.kill()
    parent.wait()
    wait_until(lambda: not any(is_alive(int(name.read_text())) for name in names))


def is_alive(pid):
    """Whether a process runs; one that ended and that nobody has asked about does not."""
    try:
        return "\nState:\tZ" not in Path(f"/proc/{pid}/status").read_text()
    except FileNotFoundError:
        return False


INTERRUPTED_WHILE_IT_STARTS_WORKERS = """
import os, signal, threading, time
from frcnn_cli.runtime import process_pool as pool

def blocked(task):
    return signal.SIGINT in signal.pthread_sigmask(signal.SIG_BLOCK, ())

def nothing():
    pass

if __name__ == "__main__":
    threading.Thread(target=time.sleep, args=(60,), daemon=True).start()  # may take the signal
    print([result for _, result in pool.run_all(pool.Work(blocked, nothing), range(2), 2)])
    try:
        with pool.interrupts_held_back():
            os.kill(os.getpid(), signal.SIGINT)
            time.sleep(0.2)
            print("held back")
        print("lost")
    except KeyboardInterrupt:
        print("interrupted")
"""


def test_ctrl_c_neither_reaches_a_new_worker_nor_is_lost(tmp_path):
    script = tmp_path / "script.py"
    script.write_text(INTERRUPTED_WHILE_IT_STARTS_WORKERS)
    done = subprocess.run([sys.executable, script], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines() == ["[True, True]", "held back", "interrupted"]
