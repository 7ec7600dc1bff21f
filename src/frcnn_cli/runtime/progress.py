"""Progress callbacks: library code reports how far it is without knowing who listens."""

from __future__ import annotations

from collections.abc import Callable

Progress = Callable[[str, int, int], None]
"""`progress(step, done, total)`, such as `progress("Finding proposals", 3, 1000)`."""


def silent(step: str, done: int, total: int) -> None:
    """No-op progress callback."""
