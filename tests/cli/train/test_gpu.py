"""`frcnn train` on a GPU: the losses of a CPU, a run that goes on, and a failed step repeated."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path
from typing import Any

import pytest

from frcnn_cli.model.backbones import vgg16
from support.commands import SETTINGS, frcnn
from support.pretend_gpu import PretendGPU

WORDS = ("train", "--split", "train", "--backbone", "vgg16", "--weights", "none")


@pytest.fixture
def folder(scenes: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A data set, for a VGG16 of few channels whose batches a thread loads."""
    shutil.copytree(scenes, tmp_path / "scenes")
    settings = SETTINGS + 'precision = "float32"\nrois_per_image = 16\n'
    (tmp_path / "frcnn.toml").write_text(settings, encoding="utf-8")
    stages = ((4, 4), (4, 4), (8, 8, 8), (8, 8, 8), (8, 8, 8))
    monkeypatch.setattr(vgg16, "_STAGES", stages)
    monkeypatch.setattr(vgg16, "_HIDDEN", 16)
    monkeypatch.setattr("frcnn_cli.training.runs.train.loaders_for", lambda *_: 0)
    return tmp_path


def losses(folder: Path, run: str) -> list[float]:
    rows: list[dict[str, Any]] = [
        json.loads(line)
        for line in (folder / ".frcnn/runs" / run / "metrics.jsonl").read_text("utf-8").splitlines()
    ]
    return [row["loss"] for row in rows if "loss" in row]


@pytest.mark.slow
def test_training_resuming_and_replaying(folder: Path, pretend_gpu: PretendGPU) -> None:
    for run, gpus in (("cpu", "0"), ("gpu", "1")):
        done = frcnn(folder, *WORDS, "--gpus", gpus, "--run", run)
        assert done.returncode == 0, done.stderr
    assert len(losses(folder, "gpu")) == 4
    assert losses(folder, "gpu") == pytest.approx(losses(folder, "cpu"), rel=1e-4)

    words = ("train", "--resume", "--run", "gpu", "--iterations", "6", "--gpus", "1")
    done = frcnn(folder, *words)
    assert done.returncode == 0, done.stderr
    assert len(losses(folder, "gpu")) == 6

    failed = frcnn(folder, *WORDS, "--gpus", "1", "--run", "failed", "--lr", "1e30")
    assert failed.returncode == 1
    (command,) = re.findall(r"frcnn train --replay (\S+) shows where", failed.stderr)
    step = int(re.findall(r"is (?:nan|inf) at step (\d)", failed.stderr)[0])
    assert len(losses(folder, "failed")) == step - 1, "every step before it is reported"
    done = frcnn(folder, "train", "--replay", command, "--gpus", "1")
    assert done.returncode == 0, done.stderr
    assert f"Step {step}, whose" in done.stdout + done.stderr
