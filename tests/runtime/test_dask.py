"""A real Dask cluster of two worker processes on this machine, one of which dies."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest
from PIL import Image

from frcnn_cli.cache.store import Cache
from frcnn_cli.config import InputConfig, ProposalConfig
from frcnn_cli.detection.inputs import ImageInput
from frcnn_cli.detection.prefetch import ImageTask, prefetch, prepare
from frcnn_cli.errors import ConfigError, FrcnnError
from frcnn_cli.proposals.service import ensure_proposals
from frcnn_cli.runtime.process_pool import TimedOut, Work
from support.commands import frcnn
from support.images import blobs, flat
from support.waiting import wait_until

cluster = pytest.importorskip("frcnn_cli.runtime.dask", exc_type=ConfigError)

TESTS = Path(__file__).resolve().parents[1]


def nothing():
    """Sets nothing up."""


def refuse():
    raise ConfigError("has no such thing", remedy="install it")


def square(task):
    return task * task


def nap(task):
    """Sleeps for so many seconds."""
    time.sleep(task)
    return task


def name_or_die(task):
    """Kills its worker at the first try, which the file `task` remembers."""
    path = Path(task)
    if path.suffix and not path.exists():
        path.write_text("")
        os.kill(os.getpid(), signal.SIGKILL)
    return path.name


@contextmanager
def started(folder):
    """Yields address and scheduler process of a cluster of two workers, started as users do."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        address = f"tcp://127.0.0.1:{free.getsockname()[1]}"
    # What the tests call must be importable there; the package is installed.
    path = os.pathsep.join([str(TESTS), os.environ.get("PYTHONPATH", "")])
    commands = (
        ["scheduler", "--host", address, "--no-dashboard"],
        ["worker", address, "--nworkers", "2", "--nthreads", "1", "--no-dashboard"],
    )
    processes = [
        subprocess.Popen(
            [sys.executable, "-m", "dask", *command],
            cwd=folder,
            env=os.environ | {"PYTHONPATH": path},
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        for command in commands
    ]
    wait_until(lambda: listens(address), processes[0])
    yield address, processes[0]
    for process in reversed(processes):
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def listens(address):
    host, port = address.removeprefix("tcp://").split(":")
    try:
        socket.create_connection((host, int(port))).close()
    except OSError:
        return False
    return True


@pytest.fixture(scope="module")
def scheduler(tmp_path_factory):
    with started(tmp_path_factory.mktemp("cluster")) as (address, _):
        yield address


def results(function, tasks, scheduler, setup=nothing, time_limit=0):
    return dict(cluster.run_all(Work(function, setup, time_limit), tasks, scheduler))


@pytest.mark.slow
def test_the_same_bytes_though_a_worker_is_killed_half_way(scheduler, tmp_path, caplog):
    paths = [tmp_path / f"{i:02}.png" for i in range(12)]
    for seed, path in enumerate(paths[:-2]):
        Image.fromarray(blobs(240, 180, seed=seed)).save(path)
    Image.fromarray(flat()).save(paths[-2])
    paths[-1].write_text("hello")
    here, there = Cache(tmp_path / "here"), Cache(tmp_path / "there")
    done = []

    def kill_one_half_way(step, count, total):
        done.append(count)
        if count == 5:
            os.kill(next(iter(workers_of(scheduler))), signal.SIGKILL)

    config = ProposalConfig()
    run = ensure_proposals(paths, config, there, scheduler=scheduler, progress=kill_one_half_way)
    assert done == list(range(13))
    assert run.searched == 11
    assert list(run.failures) == [paths[-1]]
    assert str(run.failures[paths[-1]]).startswith(str(paths[-1]))
    assert caplog.text.count(f"{paths[-2]}: too few regions") == 1
    ensure_proposals(paths, config, here, workers=2)
    entries = [
        {path.name: path.read_bytes() for path in cache.root.glob("proposals/*/*")}
        for cache in (here, there)
    ]
    assert len(entries[0]) == 11
    assert entries[0] == entries[1]
    again = ensure_proposals(paths[:-1], config, there, scheduler="tcp://127.0.0.1:1")
    assert again.cached == 11  # nothing is missing, so nobody is asked


@pytest.mark.slow
def test_a_folder_is_detected_in_order_though_others_search(scheduler, tmp_path):
    """Some regions are in the cache, one file is damaged, the rest is searched there."""
    paths = [tmp_path / f"{i}.png" for i in range(6)]
    for seed, path in enumerate(paths):
        Image.fromarray(blobs(240, 180, seed=seed)).save(path)
    paths[3].write_text("hello")
    config, sizes = ProposalConfig(preset="single"), (InputConfig(96, 160),)
    here, there = Cache(tmp_path / "here"), Cache(tmp_path / "there")
    ensure_proposals(paths[1:3], config, there, workers=1)
    expected = [prepare(ImageTask(ImageInput(path), config, here, sizes)) for path in paths]
    tasks = [ImageTask(ImageInput(path), config, there, sizes) for path in paths]
    found = prefetch(tasks, 0, scheduler)
    for path, one, other in zip(paths, expected, found, strict=True):
        if path == paths[3]:
            assert str(one) == str(other)
        else:
            assert (one.proposals == other.proposals).all()
            assert (one.views[0].pixels == other.views[0].pixels).all()


def workers_of(scheduler):
    """Returns the process ids of the workers."""
    with cluster.distributed.Client(scheduler, set_as_default=False) as client:
        return client.run(os.getpid).values()


@pytest.mark.slow
def test_results_deaths_and_time_limits(scheduler, tmp_path):
    assert results(square, range(50), scheduler) == {n: n * n for n in range(50)}
    tasks = [str(tmp_path / "dies.once"), "a", "b", "c"]
    assert list(results(name_or_die, tasks, scheduler).values()).count("dies.once") == 1
    done = results(nap, [3600, 0, 0.1, 0.2], scheduler, time_limit=2)
    assert done == {3600: TimedOut(2), 0: 0, 0.1: 0.1, 0.2: 0.2}


@pytest.mark.slow
def test_tasks_are_read_only_as_they_are_worked_on(scheduler):
    read = []

    def tasks():
        for n in range(500):
            read.append(n)
            yield n

    done = cluster.run_all(Work(square, nothing), tasks(), scheduler)
    next(done)
    assert len(read) <= 6  # two for each of two threads, and what has come back meanwhile
    done.close()


@pytest.mark.slow
def test_workers_that_cannot_do_the_work_are_one_line(scheduler, monkeypatch):
    with pytest.raises(FrcnnError, match=r"worker tcp://\S+: has no such thing; install it$"):
        results(square, [1], scheduler, refuse)
    monkeypatch.setattr(cluster, "__version__", "9.9")
    with pytest.raises(FrcnnError, match=r"has frcnn \S+, and this is frcnn 9\.9; pip install"):
        results(square, [1], scheduler)


@pytest.mark.parametrize(
    ("address", "problem"), [("tcp://127.0.0.1:1", "Timed out"), ("nonsense", "missing port")]
)
def test_an_unreachable_scheduler_is_one_line(tmp_path, address, problem, monkeypatch):
    monkeypatch.setattr(cluster, "SECONDS_TO_CONNECT", 1)
    with pytest.raises(ConfigError) as caught:
        results(square, [1], address)
    assert address in str(caught.value)
    assert problem in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.slow
def test_a_scheduler_that_is_lost_is_one_line(tmp_path):
    with started(tmp_path) as (address, process):
        done = cluster.run_all(Work(nap, nothing), [0.2] * 50, address)
        assert next(done) == (0.2, 0.2)
        process.kill()
        with pytest.raises(FrcnnError, match=f"the scheduler at {address} is gone; start it again"):
            list(done)


@pytest.mark.slow
def test_the_command(scheduler, tmp_path):
    for seed in range(3):
        Image.fromarray(blobs(seed=seed)).save(tmp_path / f"{seed}.png")
    done = frcnn(tmp_path, "proposals", ".", "--scheduler", scheduler, "--json")
    assert json.loads(done.stdout)["searched"] == 3
    assert done.stderr == ""
