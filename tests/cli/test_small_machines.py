"""Training where there is little: no home folder, 64 open files, one thread, one writable place."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from support.datasets import year

if sys.platform != "win32":
    import resource

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(sys.platform == "win32", reason="no limits there"),
]


def few_files() -> None:
    resource.setrlimit(resource.RLIMIT_NOFILE, (64, 64))


def test_training_with_a_writable_cache_alone(tmp_path: Path) -> None:
    ids = [f"{i:06}" for i in range(4)]
    year(tmp_path / "voc", ids, {"train": ids[:2], "val": ids[2:3], "test": ids[3:]})
    writable = tmp_path / "writable"
    writable.mkdir()
    (tmp_path / "o.toml").write_text('[proposals]\nengine = "opencv"\n')
    environment = {
        **{name: value for name, value in os.environ.items() if name != "HOME"},
        **{"TMPDIR": str(writable), "FRCNN_CACHE_DIR": str(writable / "cache")},
        **{"OMP_NUM_THREADS": "1", "MPLCONFIGDIR": str(writable)},
    }
    before = sorted(tmp_path.rglob("*"))
    words = ("--split", "train", "--gpus", "0", "--iterations", "1", "--batch", "1")
    done = subprocess.run(
        [sys.executable, "-m", "frcnn_cli", "train", "voc", "--config", "o.toml", *words],
        cwd=tmp_path,
        env=environment,
        preexec_fn=few_files,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    after = [path for path in tmp_path.rglob("*") if not path.is_relative_to(writable)]
    assert sorted([*after, writable]) == before
    assert list((writable / "cache" / "runs").glob("*/best.safetensors"))
