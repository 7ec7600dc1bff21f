"""Ctrl-C at a moment when the work is whole."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager


@contextmanager
def deferred_interrupt(
    *signals: signal.Signals,
) -> Iterator[Callable[[], bool]]:
    """Yields a function that tells whether Ctrl-C was pressed; a second one interrupts at once.

    The same is true of other `signals`. Outside the main thread, where Python takes no signals,
    nothing is deferred.
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
