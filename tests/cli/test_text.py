"""Closing lines."""

from __future__ import annotations

import io

import pytest
from rich.console import Console

from frcnn_cli.cli.text import count, duration, facts, headline


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
    assert count(1, "image") == "1 image"
    assert count(5011, "image") == "5,011 images"
    assert [count(n, "box") for n in (1, 2)] == ["1 box", "2 boxes"]
    assert count(2, "class") == "2 classes"


def test_facts_leave_empty_ones_out_and_print_paths_as_they_are():
    stream = io.StringIO()
    console = Console(file=stream, width=60)
    console.print(facts("Done", {"cached": "3", "failed": "", "kept in": "a [red]folder[/]"}))
    lines = [line.rstrip() for line in stream.getvalue().splitlines()]
    assert lines == ["✓ Done", "  cached   3", "  kept in  a [red]folder[/]"]


def test_what_is_copied_stays_on_one_line_and_words_are_wrapped_below_each_other():
    stream = io.StringIO()
    command = "frcnn eval data --checkpoint " + "x" * 60
    rows = {"next": command, "mAP": "one two three four five six seven eight", "folder": "/a" * 40}
    console = Console(file=stream, width=40)
    console.print(facts("Done", rows), crop=False)
    assert stream.getvalue().splitlines() == [
        "✓ Done",
        f"  next    {command}",
        "  mAP     one two three four five six",
        "          seven eight",
        f"  folder  {'/a' * 40}",
    ]


@pytest.mark.parametrize("width", [40, 60, 80])
def test_no_value_of_several_is_broken_at_the_end_of_a_line(width):
    values = [f"potted plant {number}" for number in range(8)] + ["cup/mug 1\n", "…"]
    stream = io.StringIO()
    facts_of = facts("3 detections", {"found": values, "detector": "bundled"})
    Console(file=stream, width=width).print(facts_of, crop=False)
    _, *lines, last = [line.rstrip() for line in stream.getvalue().splitlines()]
    assert last == "  detector  bundled"
    assert {line[:12] for line in lines} == {"  found     ", " " * 12}
    shown = [value.strip() for line in lines for value in line[12:].rstrip(",").split(", ")]
    assert shown == [value.replace("\n", "\\n") for value in values]
    assert len(lines) == {40: 9, 60: 3, 80: 3}[width]
    assert all(len(line) <= width for line in lines)


def test_a_value_that_is_longer_than_a_line_is_broken():
    stream = io.StringIO()
    Console(file=stream, width=30).print(facts("Done", {"found": ["x" * 40 + " 1", "dog 2"]}))
    assert stream.getvalue().count("x") == 40
    assert "dog 2" in stream.getvalue()


@pytest.mark.parametrize("complete", [True, False])
def test_only_the_mark_of_a_headline_has_a_colour(complete):
    """Yellow words cannot be read on white."""
    console = Console(width=60)
    shown = list(headline("Done", complete=complete).render(console))
    coloured = "".join(part.text for part in shown if part.style and part.style.color)
    assert coloured.strip() == ("✓" if complete else "!")
