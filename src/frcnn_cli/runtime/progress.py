"""Progress callbacks: library code reports how far it is without knowing who listens."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Collection, Iterator
from datetime import timedelta
from typing import TypeVar

Progress = Callable[[str, int, int], None]
"""`progress(step, done, total)`, such as `progress("Finding proposals", 3, 1000)`."""
ItemT = TypeVar("ItemT")
SECONDS_BETWEEN_LINES = 15.0


def silent(step: str, done: int, total: int) -> None:
    """No-op progress callback.

    Args:
        step: what is done, in words.
        done: how many are done.
        total: how many there are.
    """


def tracked(items: Collection[ItemT], step: str, progress: Progress) -> Iterator[ItemT]:
    """Yields `items`, and reports each of them to `progress` when the next one is asked for.

    Args:
        items: to go through.
        step: what is done with them, in words.
        progress: called as `progress(step, done, total)`.
    """
    for done, item in enumerate(items, start=1):
        yield item
        progress(step, done, len(items))


def log_lines(logger: logging.Logger, unit: str) -> Progress:
    """Returns a callback that logs a line every quarter of a minute of a step, with the time left.

    Args:
        logger: receives the lines, as information.
        unit: of what is counted, such as "images".
    """
    began: dict[str, tuple[float, int]] = {}
    last_line = time.monotonic()

    def report(step: str, done: int, total: int) -> None:
        nonlocal last_line
        now = time.monotonic()
        start, already = began.setdefault(step, (now, done))
        # A step has its first line when it has run for a while: only then it has a rate.
        if now - max(last_line, start) < SECONDS_BETWEEN_LINES:
            return
        last_line = now
        rate = (done - already) / (now - start)
        left = f", {timedelta(seconds=round((total - done) / rate))} left" if rate else ""
        logger.info("%s: %d of %d, %.1f %s/s%s", step, done, total, rate, unit, left)

    return report
