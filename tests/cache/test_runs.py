"""Run folders and the newest checkpoint."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from frcnn_cli.cache import runs
from frcnn_cli.cache.checkpoints import CheckpointInfo, save_checkpoint
from frcnn_cli.cache.store import Cache
from frcnn_cli.config import InputConfig, ModelConfig
from frcnn_cli.errors import CacheError, ConfigError


def checkpoint(file: Path, age: int = 0, **training: int) -> None:
    save_checkpoint(file, {}, CheckpointInfo(ModelConfig(), ("cat",), InputConfig(), training))
    os.utime(file, (1e9 + age, 1e9 + age))


def test_finished_runs_come_before_newer_ones_that_are_not(tmp_path: Path) -> None:
    cache = Cache(tmp_path)
    assert runs.run_states(cache) == []
    for age, (name, finished, step) in enumerate(
        [("old", 40, 40), ("new", 30, 30), ("stopped", None, 19), ("longer", 40, 60)]
    ):
        folder = runs.make_run_folder(cache, name)
        ended = {} if finished is None else {"finished": finished}
        checkpoint(folder / runs.BEST, age, step=10, **ended)
        checkpoint(folder / runs.LAST, step=step, iterations=40)
    (runs.make_run_folder(cache, "damaged") / runs.BEST).write_bytes(b"")
    os.utime(tmp_path / "runs/damaged" / runs.BEST, (0, 0))
    runs.make_run_folder(cache, "without-checkpoint")
    assert [str(state) for state in runs.run_states(cache)] == [
        "run new",
        "run old",
        "run longer, stopped at step 60 of 40",
        "run stopped, stopped at step 19 of 40",
        "run damaged",
    ]


@pytest.mark.parametrize("name", ["", ".", "..", "a/b", "/root", "-x", "a\nb", "x" * 101])
def test_a_name_that_leaves_the_cache_is_refused(tmp_path, name):
    with pytest.raises(ConfigError, match="name of a run"):
        runs.run_folder(Cache(tmp_path), name)


def test_a_run_folder_that_cannot_be_made(tmp_path):
    (tmp_path / "runs").write_bytes(b"")
    with pytest.raises(CacheError, match="runs/first: cannot be written"):
        runs.make_run_folder(Cache(tmp_path), "first")
