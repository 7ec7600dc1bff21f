"""A run that is killed at any moment, and goes on, ends as the run that was never stopped."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from support import killed

KILLED = Path(killed.__file__)
KILLS = 10
FILES = {"best.safetensors", "last.safetensors", "resume.safetensors"}


def train(scenes: Path, cache: Path, run: str, kills: int) -> list[Path]:
    """Returns the folders of the runs that it took to survive so many kills."""
    done = subprocess.run(
        [sys.executable, KILLED, scenes, cache, run, "7", str(kills)],
        env={**os.environ, "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return [cache / "runs" / f"{run}-{i + 1}" for i in range(int(done.stdout))]


def metrics(run: Path) -> list[dict[str, Any]]:
    rows = [json.loads(line) for line in (run / "metrics.jsonl").read_text("utf-8").splitlines()]
    timed = {"seconds", "waiting"}
    return [{key: row[key] for key in row if key not in timed} for row in rows]


@pytest.mark.slow
def test_kill_9_at_any_moment_changes_nothing(
    scenes: Path, tmp_path: Path, record_property: Callable[[str, int], None]
) -> None:
    (whole,) = train(scenes, tmp_path, "whole", kills=0)
    record_property("processes killed", KILLS)
    for run in train(scenes, tmp_path, "killed", KILLS):
        assert metrics(run) == metrics(whole)
        names = {file.name for file in run.iterdir()}
        assert names == FILES | {
            *("config.json", "settings.toml", "command.txt", "metrics.jsonl", "curves.png")
        }
        for name in FILES:
            assert (run / name).read_bytes() == (whole / name).read_bytes(), (run, name)
