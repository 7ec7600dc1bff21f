"""Bars on a terminal, lines elsewhere."""

from __future__ import annotations

import io
import logging
from types import SimpleNamespace

from rich.console import Console

from frcnn_cli.cli import progress
from frcnn_cli.cli.progress import Bars, log_lines
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


def test_lines_come_now_and_then(monkeypatch, caplog):
    now = 0.0
    monkeypatch.setattr(progress, "time", SimpleNamespace(monotonic=lambda: now))
    caplog.set_level(logging.INFO, "frcnn_cli")
    report = log_lines(logging.getLogger("frcnn_cli"), "images")
    for done in range(41):
        now = done * 1.0
        report("Finding proposals", done, 100)
    assert caplog.messages == [
        "Finding proposals: 15 of 100, 1.0 images/s",
        "Finding proposals: 30 of 100, 1.0 images/s",
    ]


def test_a_step_that_has_just_begun_has_no_line(monkeypatch, caplog):
    now = 0.0
    monkeypatch.setattr(progress, "time", SimpleNamespace(monotonic=lambda: now))
    caplog.set_level(logging.INFO, "frcnn_cli")
    report = log_lines(logging.getLogger("frcnn_cli"), "images")
    for step, when, done in (
        ("Detecting", 100.0, 0),
        ("Detecting", 100.001, 2),
        ("Detecting", 116.0, 32),
        ("Scoring", 140.0, 0),
        ("Scoring", 140.1, 1),
    ):
        now = when
        report(step, done, 50)
    assert caplog.messages == ["Detecting: 32 of 50, 2.0 images/s"]


def test_nothing_is_drawn_where_stderr_is_no_terminal(capsys):
    with Terminal() as terminal, terminal.progress() as report:
        report("Finding proposals", 1, 2)
    assert capsys.readouterr() == ("", "")
    assert not terminal.shows_progress
