"""`frcnn doctor` as a user runs it: exit code, one JSON object, and completion of the shell."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest


@pytest.mark.slow
def test_a_broken_part_is_exit_code_1_and_named(tmp_path: Path) -> None:
    """Modules of the working directory are imported by none of the children."""
    for name in ("numpy.py", "torch.py"):
        (tmp_path / name).write_text("raise SystemExit('of this folder')")
    (tmp_path / "file").touch()
    command = ["doctor", "--json", "--cache-dir", "file/cache"]
    done = subprocess.run(
        [Path(sys.executable).with_name("frcnn"), *command],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1, done.stderr
    assert "of this folder" not in done.stdout + done.stderr
    result = json.loads(done.stdout)
    assert result["schema"] == "frcnn.doctor/1"
    broken = {check["name"] for check in result["checks"] if check["state"] == "broken"}
    assert "cache" in broken
    assert result["broken"] == len(broken)
    assert all(check["remedy"] for check in result["checks"] if check["state"] != "ok")


def test_the_shell_completes_commands() -> None:
    asked = {"COMP_WORDS": "frcnn doc", "COMP_CWORD": "1", "_FRCNN_COMPLETE": "complete_bash"}
    done = subprocess.run(
        [sys.executable, "-c", "from frcnn_cli.cli.app import main; main()"],
        env={**os.environ, **asked},
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.split() == ["doctor"]
