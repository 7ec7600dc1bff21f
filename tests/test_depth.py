"""The way from a command to its work is short: few frames of the package lie between them."""

from __future__ import annotations

import inspect
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import CodeType, FrameType
from typing import Any

import pytest
import torch
from torch.optim.optimizer import register_optimizer_step_pre_hook
from torch.utils._python_dispatch import TorchDispatchMode

from frcnn_cli.cli.detect import detect
from frcnn_cli.cli.train.command import train
from frcnn_cli.proposals.search import search
from support.commands import SETTINGS, frcnn

pytestmark = pytest.mark.slow


def frames_since(command: Callable[..., object], frame: FrameType | None) -> list[str]:
    """Returns the package's frames from the one of `command` to `frame`; [] elsewhere."""
    code = inspect.unwrap(command).__code__
    names = []
    while frame is not None:
        module = frame.f_globals.get("__name__", "")
        # A comprehension is a frame of its own only before Python 3.12.
        if module.startswith("frcnn_cli.") and frame.f_code.co_name != "<listcomp>":
            names.append(f"{module}.{frame.f_code.co_qualname}")
        if frame.f_code is code:
            return names[::-1]
        frame = frame.f_back
    return []


class FirstConvolution(TorchDispatchMode):
    """Keeps the frames above the first convolution of a command."""

    def __init__(self, command: Callable[..., object]) -> None:
        super().__init__()
        self.frames: list[str] = []
        self._command = command

    def __torch_dispatch__(
        self, function: Any, types: Any, arguments: Any = (), named: Any = None
    ) -> Any:
        if "conv" in str(function) and not self.frames:
            self.frames = frames_since(self._command, sys._getframe())
        return function(*arguments, **(named or {}))


@contextmanager
def frames_at_call(command: Callable[..., object], code: CodeType) -> Iterator[list[str]]:
    """Yields a list that the frames above the first call of `code` are put into."""
    found: list[str] = []

    def note(frame: FrameType, event: str, _: object) -> None:
        if event == "call" and frame.f_code is code and not found:
            found.extend(frames_since(command, frame.f_back))

    sys.setprofile(note)
    try:
        yield found
    finally:
        sys.setprofile(None)


def test_from_train_to_the_optimizer(scenes: Path, tmp_path: Path) -> None:
    (tmp_path / "frcnn.toml").write_text(SETTINGS)
    steps: list[list[str]] = []
    hook = register_optimizer_step_pre_hook(
        lambda *_: steps.append(frames_since(train, sys._getframe()))
    )
    try:
        done = frcnn(
            tmp_path, "train", str(scenes), "--gpus", "0", "--iterations", "1", "--split", "train"
        )
    finally:
        hook.remove()
    assert done.returncode == 0, done.stderr
    assert 1 <= len(steps[0]) <= 5, steps[0]


def test_from_detect_to_the_first_convolution(scenes: Path, tmp_path: Path) -> None:
    image = min(scenes.glob("JPEGImages/*.jpg"))
    with torch.no_grad(), FirstConvolution(detect) as first:
        done = frcnn(tmp_path, "detect", str(image), "--gpus", "0", "--checkpoint", "bundled")
    assert done.returncode == 0, done.stderr
    assert 1 <= len(first.frames) <= 6, first.frames


def test_from_detect_to_the_search(scenes: Path, tmp_path: Path) -> None:
    image = min(scenes.glob("JPEGImages/*.jpg"))
    with frames_at_call(detect, search.__code__) as frames:
        done = frcnn(tmp_path, "detect", str(image), "--gpus", "0", "--checkpoint", "bundled")
    assert done.returncode == 0, done.stderr
    assert 1 <= len(frames) <= 6, frames
