"""The exception tree: one line each, and whole after a journey between processes."""

from __future__ import annotations

import pickle
from pathlib import Path

import pytest

from frcnn_cli import errors
from frcnn_cli.errors import AnnotationError, DataError, FrcnnError, ImageError

KINDS = [
    kind
    for kind in vars(errors).values()
    if isinstance(kind, type) and issubclass(kind, FrcnnError)
]


@pytest.mark.parametrize(
    ("error", "line"),
    [
        (DataError("it is empty"), "it is empty"),
        (DataError("it is empty", remedy="add images"), "it is empty; add images"),
        (DataError("it is empty", file=Path("a/b")), "a/b: it is empty"),
        (DataError("x is 3", remedy="use 2", file="c.xml"), "c.xml: x is 3; use 2"),
        (DataError("two\n  lines"), "two lines"),
    ],
)
def test_an_error_is_one_line(error, line):
    assert str(error) == line
    assert error.args == (line,)


@pytest.mark.parametrize("kind", KINDS)
def test_errors_survive_pickling(kind):
    error = kind("x is 3", remedy="use 2", file=Path("a.jpg"))
    copy = pickle.loads(pickle.dumps(error))
    assert type(copy) is kind
    assert (copy.problem, copy.remedy, copy.file) == ("x is 3", "use 2", "a.jpg")
    assert str(copy) == str(error)


def test_the_tree():
    assert len(KINDS) == 10
    assert all(issubclass(kind, DataError) for kind in (ImageError, AnnotationError))


def test_what_is_quoted_does_no_harm_to_a_terminal() -> None:
    quoted = FrcnnError("has \x1b[2J\u202e\udce9", file="a\tb")
    assert str(quoted) == r"a b: has \x1b[2J\u202e\udce9"
    long = str(FrcnnError("x" * 1_000_000, remedy="fix it", file="a.xml"))
    assert long.startswith("a.xml: xxx")
    assert long.endswith("x; fix it")
    assert len(long) < 2100
