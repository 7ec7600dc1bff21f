"""Progress in the house style: a live bar on a terminal, a line now and then elsewhere."""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    ProgressColumn,
    SpinnerColumn,
    Task,
    TaskID,
    TextColumn,
    TimeRemainingColumn,
)
from rich.progress import Progress as RichProgress
from rich.text import Text

from frcnn_cli.runtime.progress import Progress

_SECONDS_BETWEEN_LINES = 15.0


class _Rate(ProgressColumn):
    """Files a second, over the last half minute."""

    def __init__(self, unit: str) -> None:
        super().__init__()
        self._unit = unit

    def render(self, task: Task) -> Text:
        speed = task.finished_speed or task.speed
        return Text("" if speed is None else f"{speed:.1f} {self._unit}/s", style="cyan")


@contextmanager
def bars(console: Console, unit: str) -> Iterator[Progress]:
    """Yields a report function that draws a bar a step on `console`; gone when the work is."""
    columns = (
        SpinnerColumn(style="cyan"),
        TextColumn("{task.description}"),
        BarColumn(bar_width=28, complete_style="cyan", finished_style="green"),
        MofNCompleteColumn(),
        _Rate(unit),
        TextColumn("[dim]left"),
        TimeRemainingColumn(compact=True, elapsed_when_finished=True),
    )
    with RichProgress(
        *columns, console=console, transient=True, speed_estimate_period=30
    ) as progress:
        tasks: dict[str, TaskID] = {}

        def report(step: str, done: int, total: int) -> None:
            if step not in tasks:
                tasks[step] = progress.add_task(step, total=total)
            progress.update(tasks[step], completed=done, total=total)

        yield report


def log_lines(logger: logging.Logger, unit: str) -> Progress:
    """Returns a report function that logs a line every quarter of a minute of a step."""
    started: dict[str, float] = {}
    last_line = time.monotonic()

    def report(step: str, done: int, total: int) -> None:
        nonlocal last_line
        now = time.monotonic()
        began = started.setdefault(step, now)
        # A step has its first line when it has run for a while: only then it has a rate.
        if now - max(last_line, began) < _SECONDS_BETWEEN_LINES:
            return
        last_line = now
        rate = done / (now - began)
        logger.info("%s: %d of %d, %.1f %s/s", step, done, total, rate, unit)

    return report
