"""Help and errors in colours that are read on white and on black."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from typer.testing import CliRunner

from frcnn_cli.cli.app import app
from support.pages import ROOT

UNREADABLE = {"33": "yellow", "34": "blue", "93": "bright yellow", "94": "bright blue"}


@pytest.mark.parametrize(
    "words", [["--help"], ["train", "--help"], ["detekt"], ["train", "--lr", "x"], ["train", "--x"]]
)
def test_neither_yellow_nor_blue(words: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("typer.rich_utils.FORCE_TERMINAL", True)
    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.delenv("NO_COLOR", raising=False)
    run = CliRunner().invoke(app, words, color=True)
    codes = {
        code for each in re.findall(r"\x1b\[([\d;]+)m", run.output) for code in each.split(";")
    }
    assert codes & {"31", "36"}, "some colour is there"
    assert not codes & UNREADABLE.keys()


def test_nor_in_what_commands_print() -> None:
    sources = (ROOT / "src/frcnn_cli/cli").rglob("*.py")
    named = [
        file.name for file in sources if re.search(r'(yellow|blue)["\]]', Path(file).read_text())
    ]
    assert named == ["help.py"]  # which replaces them
