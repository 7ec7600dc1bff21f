"""The reading of other tools' files without a process of its own, which takes half a second."""

from __future__ import annotations

import io
import sys
from pathlib import Path
from types import SimpleNamespace
from unittest import mock

import pytest

from frcnn_cli.proposals import interchange
from frcnn_cli.proposals.interchange import __main__ as reader


def read_here(file: Path, memory: int, seconds: int) -> bytes:
    """Returns what the reading process prints; `test_hostile_files` starts real ones."""
    printed = io.BytesIO()
    with (
        mock.patch.object(sys, "stdout", SimpleNamespace(buffer=printed)),
        mock.patch.object(reader, "limit"),
    ):
        reader.main(file, memory, seconds)
    return printed.getvalue()


@pytest.fixture
def read_in_this_process(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(interchange, "read_apart", read_here)
