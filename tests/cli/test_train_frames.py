"""Number of frames between the command `frcnn train` and its optimiser's step."""

from __future__ import annotations

import inspect
import sys
from pathlib import Path

import pytest
from torch.optim.optimizer import register_optimizer_step_pre_hook

from frcnn_cli.cli.train.command import train
from support.commands import SETTINGS, frcnn


def frames_since_the_command() -> list[str]:
    """Returns the package's functions on the stack, from the command inwards."""
    names: list[str] = []
    command = inspect.unwrap(train).__code__
    frame = sys._getframe(2)
    while frame.f_code is not command:
        if frame.f_globals["__name__"].startswith("frcnn_cli."):
            names.append(frame.f_code.co_qualname)
        assert frame.f_back is not None, "not below the command"
        frame = frame.f_back
    return ["train", *reversed(names)]


@pytest.mark.slow
def test_the_optimizer_is_near_the_command(scenes: Path, tmp_path: Path) -> None:
    (tmp_path / "frcnn.toml").write_text(SETTINGS)
    steps: list[list[str]] = []
    hook = register_optimizer_step_pre_hook(lambda *_: steps.append(frames_since_the_command()))
    words = ("--gpus", "0", "--iterations", "1", "--split", "train")
    try:
        done = frcnn(tmp_path, "train", str(scenes), *words)
    finally:
        hook.remove()
    assert done.returncode == 0, done.stderr
    # The estimate measures steps before the run's own, and calibration takes others after it.
    (taken,) = (each for each in steps if "Trainer.run" in each)
    for each in (steps[0], taken):
        assert len(each) <= 5, each
