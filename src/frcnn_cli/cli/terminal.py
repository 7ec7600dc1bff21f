"""Output of a command: messages, progress and errors on stderr, results on stdout, exit codes."""

from __future__ import annotations

import json
import logging
import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, Self

import typer
from rich.console import Console, ConsoleOptions, RenderableType
from rich.segment import Segment
from rich.text import Text

from frcnn_cli.cli.progress import Bars
from frcnn_cli.errors import LONGEST_LINE, FrcnnError, printable
from frcnn_cli.runtime.progress import Progress, log_lines

FAILED = 1
SOME_FAILED = 3
INTERRUPTED = 130

_PIPED_WIDTH = 1000
"""Columns of a table that no terminal shows: it is as wide as it needs."""
_LOGGER = logging.getLogger("frcnn_cli")
_LOG_STYLES = {"WARNING": "magenta", "ERROR": "bold red", "DEBUG": "dim"}


class Terminal:
    """The frame around a command: `with Terminal(quiet, verbose, as_json): …`.

    Inside the frame an exception becomes one line on stderr and an exit code. stdout carries
    nothing but results: JSON, or the tables that people pipe.

    Args:
        quiet: whether to print errors only.
        verbose: whether to print debug messages, and tracebacks.
        as_json: whether the result is printed as JSON.

    Attributes:
        console: Rich console on stderr.
        if_interrupted: what Ctrl-C prints about the work that is kept; commands set it.
    """

    def __init__(self, quiet: bool = False, verbose: bool = False, as_json: bool = False) -> None:
        self.console = _SafeConsole(stderr=True, highlight=False)
        self.if_interrupted = ""
        self._quiet = quiet
        self._verbose = verbose
        self._as_json = as_json
        self._handler = _LogLines(self.console)

    @property
    def shows_progress(self) -> bool:
        """Whether a live display may be drawn on `console`."""
        live = self.console.is_terminal and not self.console.is_dumb_terminal
        return live and not (self._quiet or self._as_json)

    def silence(self) -> None:
        """Prints errors only from here on."""
        self._quiet, self._verbose = True, False
        _LOGGER.setLevel(self._level())

    def say(self, message: RenderableType) -> None:
        """Prints `message` for people: not under --quiet or --json."""
        if not (self._quiet or self._as_json):
            _print(self.console, message)

    def result(
        self, data: Mapping[str, Any], summary: RenderableType, *, is_table: bool = False
    ) -> None:
        """Prints a command's result: `data` on stdout under --json, else `summary`.

        Args:
            data: JSON values.
            summary: the same for people.
            is_table: whether people pipe the summary: it goes to stdout; others to stderr.
        """
        if self._as_json:
            typer.echo(json.dumps(data, allow_nan=False))
        elif is_table and not self._quiet:
            out = _SafeConsole(highlight=False)
            if not out.is_terminal and "COLUMNS" not in os.environ:
                out.width = _PIPED_WIDTH
            _print(out, summary)
        else:
            self.say(summary)

    def finish(self, failures: Sequence[FrcnnError], succeeded: int) -> None:
        """Ends a command that went on after `failures`: lists them, one per line.

        Args:
            failures: what went wrong, each naming its file.
            succeeded: how many files went well.

        Raises:
            typer.Exit: with 3 when some files failed, with 1 when all did.
        """
        for failure in failures:
            self._print_line("failed", str(failure))
        if failures:
            raise typer.Exit(SOME_FAILED if succeeded else FAILED)

    @contextmanager
    def progress(self, unit: str = "images") -> Iterator[Progress]:
        """Yields a report function that draws one bar per step, with rate and time left.

        Where no live display can be drawn a line is logged now and then; under --quiet and --json
        nothing is.
        """
        if self.shows_progress:
            with Bars(self.console, unit) as live:
                yield live.report
        else:
            yield log_lines(_LOGGER, unit)

    def __enter__(self) -> Self:
        # A command that runs others has a frame around theirs: a line is printed once.
        if not any(isinstance(handler, _LogLines) for handler in _LOGGER.handlers):
            _LOGGER.addHandler(self._handler)
        _LOGGER.setLevel(self._level())
        return self

    def __exit__(self, _: object, error: BaseException | None, __: object) -> None:
        _LOGGER.removeHandler(self._handler)
        if error is None or isinstance(error, typer.Exit | typer.Abort | typer.BadParameter):
            return
        if isinstance(error, KeyboardInterrupt):
            self._print_line("interrupted", self.if_interrupted)
            raise typer.Exit(INTERRUPTED) from error
        if isinstance(error, BrokenPipeError) or not isinstance(error, Exception):
            return  # the reader of stdout went away, or Python is exiting: Typer knows both
        self._print_line("error", _one_line(error))
        if self._verbose and not isinstance(error, FrcnnError):
            self.console.print_exception()
        raise typer.Exit(FAILED) from error

    def _level(self) -> int:
        if self._verbose:
            return logging.DEBUG
        if self._quiet:
            return logging.ERROR
        return logging.WARNING if self._as_json else logging.INFO

    def _print_line(self, kind: str, message: str) -> None:
        style = "magenta" if kind == "interrupted" else "bold red"
        line = Text.assemble("frcnn: ", (kind, style), f": {message}" if message else "")
        self.console.print(line, soft_wrap=True)


class _LogLines(logging.Handler):
    """Writes the package's log records as lines that do not tear a progress bar."""

    def __init__(self, console: Console) -> None:
        super().__init__()
        self._console = console

    def emit(self, record: logging.LogRecord) -> None:
        name = record.levelname
        kind = Text() if name == "INFO" else Text(f"{name.lower()}: ", _LOG_STYLES.get(name, ""))
        line = Text.assemble("frcnn: ", kind, printable(record.getMessage()))
        self._console.print(line, soft_wrap=True)


class _SafeConsole(Console):
    """A console on which no text, such as the name of a class, controls the terminal."""

    def render(
        self, renderable: RenderableType, options: ConsoleOptions | None = None
    ) -> Iterator[Segment]:
        """Yields what `renderable` consists of; control codes are Rich's own."""
        for segment in super().render(renderable, options):
            text = segment.text
            if segment.control or text.isprintable():
                yield segment
            else:
                yield Segment(printable(text, keep="\n\t\xa0"), segment.style)


def _print(console: Console, message: RenderableType) -> None:
    """Prints a message; where a line is longer than the terminal it is the terminal that wraps."""
    console.print(message, soft_wrap=isinstance(message, Text), crop=False)


def _one_line(error: Exception) -> str:
    """Returns what `error` means to a user."""
    if isinstance(error, FrcnnError):
        return str(error)
    if isinstance(error, OSError) and error.strerror:
        file = f"{os.fsdecode(error.filename)}: " if error.filename else ""
        return printable(f"{file}{error.strerror}")
    text = printable(" ".join(str(error).split())[:LONGEST_LINE])
    return f"{type(error).__name__}: {text}; this is a bug, run again with --verbose to see where"
