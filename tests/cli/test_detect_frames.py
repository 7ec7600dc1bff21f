"""Number of frames between the command `frcnn detect` and its region search and network."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from torch.utils._python_dispatch import TorchDispatchMode

from frcnn_cli.cli.detect.command import detect
from frcnn_cli.proposals import fast
from support.commands import frcnn
from support.frames import frames_since

MOST = 6
SEARCH = "frcnn_cli.proposals.search.search"


class FirstConvolution(TorchDispatchMode):
    """Keeps the frames above the first convolution, whatever kind of layer runs it."""

    frames: list[str] | None = None

    def __torch_dispatch__(
        self, function: Any, _: Any, arguments: Any = (), named: Any = None
    ) -> Any:
        if "conv" in str(function) and self.frames is None:
            self.frames = frames_since(detect)
        return function(*arguments, **(named or {}))


def test_the_search_and_the_first_convolution_are_near_the_command(
    scenes: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The command counts as the first, `search` and the layer of the convolution as the last."""
    searches: list[list[str]] = []
    engine = fast.search

    def noted(*given: Any) -> Any:
        searches.append(frames_since(detect))
        return engine(*given)

    monkeypatch.setattr(fast, "search", noted)
    images = map(str, sorted((scenes / "JPEGImages").iterdir())[:2])
    words = ("--checkpoint", "bundled", "--gpus", "0", "--workers", "0", "--classes", "person")
    with FirstConvolution() as first:
        done = frcnn(tmp_path, "detect", *images, *words, "--draw", "drawn", "--page", "page")
    assert done.returncode == 0, done.stderr
    assert len(searches) == 2
    for frames in searches:
        assert frames.index(SEARCH) + 1 <= MOST, frames
    assert first.frames is not None
    assert "frcnn_cli.acceleration.inference.Inference.__call__" in first.frames
    assert len(first.frames) <= MOST, first.frames
