"""Garbage collection removes what may go: never a split, never a run that was not named."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest

from frcnn_cli.cache import records
from frcnn_cli.cache.gc import GarbageRules, collect_garbage, find_garbage, remove
from frcnn_cli.cache.proposals import save_proposals
from frcnn_cli.cache.runs import make_run_folder
from frcnn_cli.cache.store import Cache
from frcnn_cli.errors import ConfigError

NOW = 1_000_000_000.0
KEY = "ab" + "0" * 62
OTHER = "cd" + "0" * 62


@pytest.fixture
def cache(tmp_path) -> Cache:
    return Cache(tmp_path / "cache")


def used(path: Path, days_ago: float) -> Path:
    then = NOW - days_ago * 86_400
    os.utime(path, (then, then))
    return path


def doomed(cache: Cache, days: float = 0, libraries=(), runs=()) -> set[Path]:
    items = find_garbage(cache, NOW, GarbageRules(days, libraries, runs))
    return {item.path for item in items}


def test_an_empty_cache_has_nothing_to_remove(cache):
    assert doomed(cache, 1) == set()


def save(cache: Cache, key: str, made_by) -> Path:
    save_proposals(cache, key, np.zeros((0, 4), np.float32), made_by)
    return cache.path("proposals", key)


def test_entries_that_nobody_used(cache):
    for key, days in ((KEY, 31), (OTHER, 29)):
        used(save(cache, key, {"library": "opencv 5"}), days)
        for kind in ("hashes", "splits"):
            records.save(cache, kind, key, {})
            used(cache.path(kind, key), days)
    assert doomed(cache, 30) == {cache.path("proposals", KEY), cache.path("hashes", KEY)}
    assert doomed(cache) == set()


def test_proposals_that_no_search_makes_again_stay(cache):
    used(save(cache, KEY, None), 1000)
    used(save(cache, OTHER, {"imported": "mine"}), 1000)
    assert doomed(cache, 1, libraries={"opencv 5"}) == set()


def test_proposals_of_an_engine_that_is_gone(cache):
    for key, library in ((KEY, "opencv 4"), (OTHER, "opencv 5")):
        used(save(cache, key, {"library": library}), 8)
    assert doomed(cache, libraries={"opencv 5"}) == {cache.path("proposals", KEY)}
    assert doomed(cache) == set()
    used(cache.path("proposals", KEY), 6)
    assert doomed(cache, libraries={"opencv 5"}) == set(), "another installation uses it"


def test_what_killed_writes_leave(cache):
    records.save(cache, "splits", KEY, {})
    run = make_run_folder(cache, "run")
    for folder in (cache.root, run, cache.path("splits", KEY).parent):
        (folder / ".name.0123456789ab.tmp").write_bytes(b"half")
        (folder / ".name.ba9876543210.tmp").write_bytes(b"half")
        used(folder / ".name.0123456789ab.tmp", 1)
        used(folder / ".name.ba9876543210.tmp", 0)
    assert len(doomed(cache)) == 3
    assert {path.name for path in doomed(cache)} == {".name.0123456789ab.tmp"}


def test_a_run_goes_only_if_it_is_named(cache):
    for name in ("one", "two"):
        used_file = make_run_folder(cache, name) / "best.safetensors"
        used_file.write_bytes(b"weights")
        used(used_file, 1000)
    assert doomed(cache, 1) == set()
    (item,) = find_garbage(cache, NOW, GarbageRules(0, run_names=["two"]))
    assert item.bytes == 7
    remove(item)
    assert [path.name for path in (cache.root / "runs").iterdir()] == ["one"]
    for name, message in (("two", "there is no run 'two'; runs are: one"), ("..", "cannot be")):
        with pytest.raises(ConfigError, match=message):
            doomed(cache, runs=[name])


def test_a_removed_entry_leaves_no_empty_folder(cache):
    records.save(cache, "hashes", KEY, {})
    used(cache.path("hashes", KEY), 9)
    for item in list(find_garbage(cache, NOW, GarbageRules(5))):
        remove(item)
        remove(item)
    assert list((cache.root / "hashes").iterdir()) == []


HOLD = """
import sys
from pathlib import Path
from frcnn_cli.cache.locks import FolderLock, using
path = Path(sys.argv[2])
if sys.argv[1] == "run":
    lock = FolderLock.acquire(path)
    print("held", flush=True)
    sys.stdin.read()
else:
    with using(path):
        print("held", flush=True)
        sys.stdin.read()
"""


@contextmanager
def held(what: str, path: Path) -> Iterator[None]:
    """Another process trains a run, or uses the cache."""
    with subprocess.Popen(
        [sys.executable, "-c", HOLD, what, path],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as other:
        assert other.stdout.readline() == "held\n"
        yield
        other.kill()


@pytest.mark.skipif(sys.platform == "win32", reason="no locks there")
def test_a_run_that_is_training_stays(cache):
    run = make_run_folder(cache, "mine")
    (run / "best.safetensors").write_bytes(b"weights")
    (item,) = find_garbage(cache, NOW, GarbageRules(0, run_names=["mine"]))
    with held("run", run):
        for clean in (lambda: doomed(cache, runs=["mine"]), lambda: remove(item)):
            with pytest.raises(ConfigError, match="another process trains the run 'mine'; wait"):
                clean()
        assert (run / "best.safetensors").exists()
    remove(item)
    assert not run.exists()


@pytest.mark.skipif(sys.platform == "win32", reason="no locks there")
def test_entries_stay_while_a_command_uses_the_cache(cache, caplog):
    entry = save(cache, KEY, {"library": "opencv 5"})

    def clean():
        return collect_garbage(cache, GarbageRules(30, {"opencv 5"}))

    os.utime(entry, (time.time() - 40 * 86_400,) * 2)
    with held("cache", cache.root):
        assert clean() == []
        assert "is used by another command: entries stay" in caplog.text
    assert [item.path for item in clean()] == [entry]


def test_an_entry_used_within_a_day_may_be_in_use(cache):
    used(save(cache, KEY, {"library": "opencv 5"}), 0.9)
    used(save(cache, OTHER, {"library": "opencv 5"}), 1.1)
    assert doomed(cache, 0.001) == {cache.path("proposals", OTHER)}
