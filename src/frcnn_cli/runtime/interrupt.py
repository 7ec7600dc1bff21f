"""Ctrl-C, deferred until the work can stop without loss."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager


@contextmanager
def deferred_interrupt(*signals: signal.Signals) -> Iterator[Callable[[], bool]]:
    """Yields a function that returns whether Ctrl-C was pressed; a second one interrupts at once.

    Other `signals` are deferred in the same way. Outside the main thread, where Python handles no
    signals, nothing is deferred.
    """
    if threading.current_thread() is not threading.main_thread():
        yield lambda: False
        return
    pressed = False

    def restore() -> None:
        for number, handler in before.items():
            signal.signal(number, handler)

    def note(*_: object) -> None:
        nonlocal pressed
        pressed = True
        restore()

    before = {number: signal.signal(number, note) for number in (signal.SIGINT, *signals)}
    try:
        yield lambda: pressed
    finally:
        restore()
