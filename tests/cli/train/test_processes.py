"""`frcnn train` in several processes, as a user starts and loses them."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from frcnn_cli.cache.checkpoints import load_checkpoint
from support.commands import SETTINGS, frcnn, frcnn_process, has_content, start
from support.waiting import wait_until

pytestmark = pytest.mark.slow

WORDS = ("train", "--split", "train", "--gpus", "0", "--lr", "0.0001")
TOGETHER = (*WORDS, "--processes", "2", "--batch", "2")
NOTED = """
import os, sys
def note(event, arguments):
    writes = event == "open" and arguments[2] & (os.O_WRONLY | os.O_RDWR)
    if writes and isinstance(arguments[0], str):
        if "/.frcnn/" in os.path.abspath(arguments[0]):
            print("WROTE", os.environ.get("RANK"), arguments[0], file=sys.stderr)
sys.addaudithook(note)
"""


@pytest.fixture(scope="module")
def project(scenes: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder for all runs, so that proposals are searched once."""
    folder = tmp_path_factory.mktemp("project")
    shutil.copytree(scenes, folder / "scenes")
    (folder / "frcnn.toml").write_text(SETTINGS, encoding="utf-8")
    return folder


@pytest.fixture(scope="module")
def together(project: Path) -> subprocess.CompletedProcess[str]:
    """The run "together", of two processes that note what they write."""
    (project / "noted").mkdir()
    (project / "noted/sitecustomize.py").write_text(NOTED)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PYTHONPATH", f"{project / 'noted'}:{os.environ.get('PYTHONPATH', '')}")
        patch.setenv("OMP_NUM_THREADS", "1")
        done = frcnn_process(project, *TOGETHER, "--run", "together", "--json")
    assert done.returncode == 0, done.stderr
    return done


def test_two_processes_reach_the_weights_of_one_and_one_of_them_writes(
    project: Path, together: subprocess.CompletedProcess[str]
) -> None:
    alone = frcnn(project, *WORDS, "--run", "alone")
    assert alone.returncode == 0, alone.stderr
    result = json.loads(together.stdout)
    written = [line.split()[1] for line in together.stderr.splitlines() if "WROTE" in line]
    assert set(written) == {"0"}
    assert "Warning" not in together.stderr

    runs = project / ".frcnn/runs"
    ours, theirs = (
        load_checkpoint(runs / name / "last.safetensors")[0] for name in ("together", "alone")
    )
    for name, tensor in theirs.items():
        # AdamW divides by the root of the second moment: tiny gradients are rounded too.
        assert (ours[name] - tensor).abs().max() <= 4 * 0.0001, name
    rows = [json.loads(row) for row in (runs / "alone/metrics.jsonl").read_text().splitlines()]
    first = json.loads((runs / "together/metrics.jsonl").read_text().splitlines()[0])
    assert first["loss"] == pytest.approx(rows[0]["loss"], rel=1e-4)
    assert (first["rois"], first["foreground"]) == (rows[0]["rois"], rows[0]["foreground"])
    assert result["steps"] == 4


def test_torchrun_on_one_machine_and_on_two_trains_what_processes_train(
    project: Path,
    together: subprocess.CompletedProcess[str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Two machines are two folders here: neither sees what the other one keeps."""
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    other = tmp_path / "other"
    other.mkdir()
    for name in ("scenes", "frcnn.toml"):
        (other / name).symlink_to(project / name)
    one = torchrun(project, "--standalone", "--nproc-per-node", "2", run="torchrun")
    assert one.wait() == 0

    meeting = ("--nnodes", "2", "--nproc-per-node", "1", "--rdzv-id", "frcnn")
    # In a file, as a port that is free now may be taken when it is wanted.
    meeting += ("--rdzv-backend", "c10d", "--rdzv-endpoint", str(tmp_path / "meeting"))
    meeting += ("--rdzv-conf", "store_type=file", "--local-addr", "localhost")
    two = [torchrun(folder, *meeting, run="machines") for folder in (project, other)]
    assert [each.wait() for each in two] == [0, 0]

    found = [folder / ".frcnn/runs/machines" for folder in (project, other)]
    (written,) = [folder for folder in found if folder.exists()]  # by the one that leads
    assert "--processes" not in (written / "command.txt").read_text()  # of one machine
    ours = project / ".frcnn/runs/together"
    for theirs in (project / ".frcnn/runs/torchrun", written):
        for name in ("last.safetensors", "best.safetensors"):
            weights, same = (load_checkpoint(run / name)[0] for run in (ours, theirs))
            assert all(torch.equal(weights[key], same[key]) for key in weights), theirs


def torchrun(folder: Path, *words: str, run: str) -> subprocess.Popen[bytes]:
    """Starts torch's launcher as in docs/how-to/gpu.md."""
    launcher = (sys.executable, "-m", "torch.distributed.run", *words, "-m", "--", "frcnn_cli")
    return subprocess.Popen([*launcher, *WORDS, "scenes", "--batch", "2", "--run", run], cwd=folder)


def test_a_process_that_dies_ends_the_run_which_goes_on_later(project: Path) -> None:
    run = project / ".frcnn/runs/mine"
    words = (*TOGETHER, "--run", "mine", "--iterations", "1000", "--checkpoint-every", "2")
    with start(project, *words) as process:
        wait_until((run / "resume.safetensors").exists, process)
        os.kill(_child_of_rank(process.pid, 1), signal.SIGKILL)
        _, stderr = process.communicate()
    assert process.returncode == 1
    assert "process 1 of 2 ended with SIGKILL" in stderr
    assert "frcnn train --resume" in stderr
    assert "Traceback" not in stderr
    steps = [json.loads(row)["step"] for row in (run / "metrics.jsonl").read_text().splitlines()]
    more = max(steps) + 2
    done = frcnn(project, "train", "--resume", "--run", "mine", "--iterations", str(more), "--json")
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["steps"] == more


def test_ctrl_c_ends_all_and_keeps_the_steps(project: Path) -> None:
    run = project / ".frcnn/runs/stopped"
    words = (*TOGETHER, "--run", "stopped", "--iterations", "1000", "--checkpoint-every", "1000")
    with start(project, *words) as process:
        wait_until(lambda: has_content(run / "metrics.jsonl"), process)
        process.send_signal(signal.SIGINT)
        _, stderr = process.communicate()
    assert process.returncode == 130, stderr
    assert stderr.count("frcnn: interrupted: its steps are kept") == 1
    assert "Traceback" not in stderr
    assert (run / "resume.safetensors").exists()


def _child_of_rank(parent: int, rank: int) -> int:
    """Returns the process that torch's launcher made the rank."""
    for environment in Path("/proc").glob("[0-9]*/environ"):
        try:
            found = environment.read_bytes().split(b"\0")
            status = (environment.parent / "stat").read_text().rsplit(")", 1)[1].split()
        except OSError:
            continue
        if f"RANK={rank}".encode() in found and int(status[1]) == parent:
            return int(environment.parent.name)
    pytest.skip("processes cannot be looked at here")
