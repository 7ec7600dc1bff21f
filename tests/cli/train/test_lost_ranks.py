"""A rank that dies or stops in a step leaves the others with the state of the last whole step."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import safetensors.torch

from frcnn_cli.training.distributed.watch import LOST
from support.commands import SETTINGS, frcnn
from support.ranks import start_ranks
from support.waiting import wait_until

pytestmark = pytest.mark.slow

WORDS = ("train", "scenes", "--split", "train", "--gpus", "0", "--batch", "2", "--lr", "0.0001")
LONG = ("--iterations", "1000", "--checkpoint-every", "1000")


@pytest.fixture(scope="module")
def project(scenes: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder for all runs, so that proposals are searched once."""
    folder = tmp_path_factory.mktemp("project")
    shutil.copytree(scenes, folder / "scenes")
    (folder / "frcnn.toml").write_text(SETTINGS, encoding="utf-8")
    done = frcnn(folder, *WORDS, "--run", "alone")
    assert done.returncode == 0, done.stderr
    return folder


def steps_of(run: Path) -> list[int]:
    file = run / "metrics.jsonl"
    if not file.exists():
        return []
    lines = file.read_text().splitlines(keepends=True)
    return [json.loads(line)["step"] for line in lines if line.endswith("\n")]


@pytest.mark.parametrize(
    ("number", "lost"), [(signal.SIGKILL, 1), (signal.SIGKILL, 0), (signal.SIGSTOP, 1)]
)
def test_the_state_of_the_last_whole_step_is_kept(
    project: Path, number: signal.Signals, lost: int
) -> None:
    name = f"{number.name}-{lost}"
    run = project / ".frcnn/runs" / name
    for kept in ended(start_ranks(project, *WORDS, *LONG, "--run", name), run, number, lost):
        _, stderr = kept.communicate()
        assert kept.returncode == LOST, stderr
        assert "Traceback" not in stderr
    (written,) = steps_of(run)[-1:]
    step = int(safetensors.torch.load_file(run / "resume.safetensors")["step"])
    assert step == written or (lost == 0 and step == written + 1)
    more = str(step + 2)
    done = frcnn(project, "train", "--resume", "--run", name, "--iterations", more, "--json")
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["steps"] == step + 2


def ended(
    ranks: list[subprocess.Popen[str]], run: Path, number: signal.Signals, lost: int
) -> Iterator[subprocess.Popen[str]]:
    """Yields the ranks that are left when one gets a signal after some steps of `run`."""
    try:
        wait_until(lambda: len(steps_of(run)) > 2, ranks[0])
        os.kill(ranks[lost].pid, number)
        yield from (rank for i, rank in enumerate(ranks) if i != lost)
    finally:
        for rank in ranks:
            rank.kill()
            rank.communicate()


@pytest.mark.parametrize(
    ("wrong", "code", "line"),
    [
        (("--batch", "1"), 1, "2 processes cannot share a batch of 1"),
        (("--batch", "two"), 2, "it must be a whole number"),
        (("--resume", "--run", "none"), 1, "no run to resume"),
    ],
)
def test_what_all_processes_meet_is_printed_once(
    project: Path, wrong: tuple[str, ...], code: int, line: str
) -> None:
    launcher = ("-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2")
    command = (sys.executable, *launcher, "-m", "--", "frcnn_cli", "train", "scenes", *wrong)
    done = subprocess.run(command, cwd=project, capture_output=True, text=True, check=False)
    assert done.stderr.count(line) == 1, done.stderr
    assert f"exitcode  : {code} " in done.stderr
