"""Bars on a terminal."""

from __future__ import annotations

import io

from rich.console import Console

from frcnn_cli.cli.progress import Bars
from frcnn_cli.cli.terminal import Terminal


def test_a_bar_a_step_with_count_and_rate():
    stream = io.StringIO()
    console = Console(file=stream, force_terminal=True, width=100)
    with Bars(console, "images") as live:
        live.report("Finding proposals", 0, 4)
        live.report("Finding proposals", 3, 4)
        live.report("Scoring", 1, 2)
    shown = stream.getvalue()
    assert "Finding proposals" in shown
    assert "3/4" in shown
    assert "1/2" in shown


def test_nothing_is_drawn_where_stderr_is_not_a_terminal(capsys):
    with Terminal() as terminal, terminal.progress() as report:
        report("Finding proposals", 1, 2)
    assert capsys.readouterr() == ("", "")
    assert not terminal.shows_progress


def test_a_dumb_terminal_gets_lines(monkeypatch):
    monkeypatch.setenv("TERM", "dumb")
    terminal = Terminal()
    terminal.console = Console(file=io.StringIO(), force_terminal=True)
    assert not terminal.shows_progress
    monkeypatch.setenv("TERM", "xterm")
    terminal.console = Console(file=io.StringIO(), force_terminal=True)
    assert terminal.shows_progress
