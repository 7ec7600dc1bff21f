"""Run folders and the newest checkpoint."""

from __future__ import annotations

import os

import pytest

from frcnn_cli.cache import runs
from frcnn_cli.cache.store import Cache
from frcnn_cli.errors import CacheError, ConfigError


def test_the_newest_best_checkpoint_is_found(tmp_path):
    cache = Cache(tmp_path)
    assert runs.newest_checkpoint(cache) is None
    for age, name in enumerate(["b", "c", "a"]):
        file = runs.make_run_folder(cache, name) / runs.BEST
        file.write_bytes(b"")
        os.utime(file, (1e9 + age, 1e9 + age))
    runs.make_run_folder(cache, "without-checkpoint")
    assert runs.newest_checkpoint(cache) == tmp_path / "runs" / "a" / runs.BEST
    assert runs.newest_checkpoint(cache, runs.LAST) is None


@pytest.mark.parametrize("name", ["", ".", "..", "a/b", "/root", "-x", "a\nb", "x" * 101])
def test_a_name_that_leaves_the_cache_is_refused(tmp_path, name):
    with pytest.raises(ConfigError, match="name of a run"):
        runs.run_folder(Cache(tmp_path), name)


def test_a_run_folder_that_cannot_be_made(tmp_path):
    (tmp_path / "runs").write_bytes(b"")
    with pytest.raises(CacheError, match="runs/first: cannot be written"):
        runs.make_run_folder(Cache(tmp_path), "first")
