"""Number of frames between the command `frcnn train` and its optimiser's step."""

from __future__ import annotations

from pathlib import Path

import pytest
from torch.optim.optimizer import register_optimizer_step_pre_hook

from frcnn_cli.cli.train.command import train
from support.commands import SETTINGS, frcnn
from support.frames import frames_since

RUN = "frcnn_cli.training.engine.loop.Trainer.run"


@pytest.mark.slow
def test_the_optimizer_is_near_the_command(scenes: Path, tmp_path: Path) -> None:
    (tmp_path / "frcnn.toml").write_text(SETTINGS)
    steps: list[list[str]] = []
    hook = register_optimizer_step_pre_hook(lambda *_: steps.append(frames_since(train)))
    words = ("--gpus", "0", "--iterations", "1", "--split", "train")
    try:
        done = frcnn(tmp_path, "train", str(scenes), *words)
    finally:
        hook.remove()
    assert done.returncode == 0, done.stderr
    # The estimate measures steps before the run's own, and calibration takes others after it.
    (taken,) = (each for each in steps if RUN in each)
    for each in (steps[0], taken):
        assert len(each) <= 5, each
