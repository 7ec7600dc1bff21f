"""How deep the work of `frcnn detect` is below the command."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from torch import nn

from frcnn_cli.acceleration.packed import PackedConv
from frcnn_cli.proposals import service
from support.commands import frcnn


def depth() -> int:
    """Returns the number of the package's frames from the command to the caller's caller."""
    count, frame = 0, sys._getframe(2)
    while frame.f_back is not None:
        file = Path(frame.f_code.co_filename)
        count += "frcnn_cli" in file.parts
        if file.parts[-2:] == ("cli", "detect.py"):
            return count
        frame = frame.f_back
    raise AssertionError("not below the command")


def test_the_search_and_the_first_convolution_are_near_the_command(
    scenes: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    depths: dict[str, int] = {}

    def noted(name: str, function: Callable[..., Any], own: int) -> Callable[..., Any]:
        def call(*given: Any) -> Any:
            depths.setdefault(name, depth() + own)
            return function(*given)

        return call

    convolve = noted("convolution", nn.Conv2d.forward, 0)
    monkeypatch.setattr(nn.Conv2d, "forward", convolve)
    monkeypatch.setattr(PackedConv, "forward", noted("convolution", PackedConv.forward, 1))
    monkeypatch.setattr(service, "search", noted("search", service.search, 1))
    image = min((scenes / "JPEGImages").iterdir())
    done = frcnn(tmp_path, "detect", str(image), "--checkpoint", "bundled", "--gpus", "0")
    assert done.returncode == 0, done.stderr
    assert depths["convolution"] <= 6
    assert depths["search"] <= 6
