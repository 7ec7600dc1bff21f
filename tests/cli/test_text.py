"""Closing lines."""

from __future__ import annotations

import io

import pytest
from rich.console import Console

from frcnn_cli.cli.text import count, duration, facts


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0.344, "0.34 s"),
        (9.999, "10 s"),
        (59.6, "1 min 00 s"),
        (130, "2 min 10 s"),
        (3599.7, "1 h 00 min"),
        (7500, "2 h 05 min"),
    ],
)
def test_duration(seconds, text):
    assert duration(seconds) == text


def test_count():
    assert count(1, "photograph") == "1 photograph"
    assert count(5011, "photograph") == "5,011 photographs"


def test_facts_leave_empty_ones_out_and_print_paths_as_they_are():
    stream = io.StringIO()
    console = Console(file=stream, width=60)
    console.print(facts("Done", {"cached": "3", "failed": "", "kept in": "a [red]folder[/]"}))
    lines = [line.rstrip() for line in stream.getvalue().splitlines()]
    assert lines == ["✓ Done", "  cached   3", "  kept in  a [red]folder[/]"]
