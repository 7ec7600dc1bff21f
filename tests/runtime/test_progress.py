"""Progress as lines of a log."""

from __future__ import annotations

import logging
from types import SimpleNamespace

from frcnn_cli.runtime import progress
from frcnn_cli.runtime.progress import log_lines


def test_lines_come_now_and_then(monkeypatch, caplog):
    now = 0.0
    monkeypatch.setattr(progress, "time", SimpleNamespace(monotonic=lambda: now))
    caplog.set_level(logging.INFO, "frcnn_cli")
    report = log_lines(logging.getLogger("frcnn_cli"), "images")
    for done in range(41):
        now = done * 1.0
        report("Finding proposals", done, 100)
    assert caplog.messages == [
        "Finding proposals: 15 of 100, 1.0 images/s, 0:01:25 left",
        "Finding proposals: 30 of 100, 1.0 images/s, 0:01:10 left",
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
    assert caplog.messages == ["Detecting: 32 of 50, 2.0 images/s, 0:00:09 left"]
