"""How a pipeline tells of its progress, without knowing who listens."""

from __future__ import annotations

from collections.abc import Callable

Progress = Callable[[str, int, int], None]
"""`progress(step, done, total)`, such as `progress("Searching regions", 3, 1000)`."""


def silent(step: str, done: int, total: int) -> None:
    """Listens to nothing."""
