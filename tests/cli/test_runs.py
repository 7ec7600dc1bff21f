"""`frcnn runs` on runs that are written here, without training."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from frcnn_cli.cache.checkpoints import CheckpointInfo
from frcnn_cli.cache.store import Cache
from frcnn_cli.config import InputConfig, ModelConfig, ProposalConfig, override
from frcnn_cli.config.recipes import recipe
from frcnn_cli.training.runs.events import FinalScore
from frcnn_cli.training.runs.folder import CONFIG, RunFolder
from frcnn_cli.training.runs.job import TrainJob
from support.commands import frcnn

INFO = CheckpointInfo(ModelConfig(), ("cat",), InputConfig(), {"iterations": 600})


def write_run(folder: Path, name: str, finished: bool, **settings: object) -> None:
    start = recipe("default", "efficientnet_lite0")
    shared = {"lr": 0.01, "crop_prob": 0.5}
    job = TrainJob(
        folder / "toys",
        "train",
        ModelConfig(),
        replace(start, train=override(start.train, {**shared, **settings})),
        ProposalConfig(),
    )
    with RunFolder.new(Cache(folder / ".frcnn"), name, "net") as run:
        (run.path / CONFIG).write_text(json.dumps(job.to_json()))
        run.save_checkpoint({}, INFO, 19, 0.5)
        if finished:
            run.finish(19, FinalScore(0.25, "val", 3, None))


def test_runs_side_by_side(tmp_path: Path) -> None:
    assert "has no runs" in frcnn(tmp_path, "runs").stdout
    write_run(tmp_path, "first", finished=True)
    write_run(tmp_path, "second", finished=False, flip_prob=0.0, lr=0.02)
    (tmp_path / ".frcnn/runs/begun").mkdir()
    done = frcnn(tmp_path, "runs", "--json")
    assert done.returncode == 0, done.stderr
    runs = {run["name"]: run for run in json.loads(done.stdout)["runs"]}
    assert runs.keys() == {"first", "second"}
    # crop_prob is the same in both.
    assert runs["first"]["settings"] == {"lr": 0.01}
    assert runs["second"]["settings"] == {"lr": 0.02, "flip_prob": 0.0}
    shown = ("state", "steps", "iterations", "map_val", "map_final", "map_split", "recipe")
    assert [runs["first"][key] for key in shown] == [
        *("finished", 19, 600, 0.5, 0.25, "val", "default"),
    ]
    assert [runs["second"][key] for key in shown[:6]] == ["stopped", 19, 600, 0.5, None, None]
    done = frcnn(tmp_path, "runs")
    assert done.stderr == ""  # a table is a result
    text = " ".join(done.stdout.split())
    assert "19 of 600, stopped" in text
    assert "0.250 on val" in text
    (tmp_path / ".frcnn/runs/first" / CONFIG).write_text("{}")
    damaged = frcnn(tmp_path, "runs")
    assert damaged.returncode == 3
    assert "first/config.json: cannot be used" in damaged.stderr


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["detect", "photo.jpg", "--run", "gone"], "there is no run 'gone' with a checkpoint"),
        (["detect", "photo.jpg", "--checkpoint", "."], "is a folder without best.safetensors"),
        (["export", "gone", "model.onnx"], "there is no file and no run 'gone'"),
        (["compress", "gone", "--fc6", "8"], "there is no file and no run 'gone'"),
        (["bench", "--run", "gone"], "there is no run 'gone' with a checkpoint"),
        (["eval", "--run", "gone", "--checkpoint", "bundled"], "are both given; use one of them"),
    ],
)
def test_a_detector_that_is_not_there(tmp_path: Path, words: list[str], message: str) -> None:
    (tmp_path / "photo.jpg").touch()
    done = frcnn(tmp_path, *words)
    assert done.returncode == 1
    assert message in done.stderr
