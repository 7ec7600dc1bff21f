"""Counts of what a GPU is asked to do, in all and by section."""

from __future__ import annotations

import contextlib
import traceback
from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from torch import Tensor

import frcnn_cli

_SOURCES = str(Path(frcnn_cli.__file__).parent)


@dataclass
class Usage:
    """Operations, waits and copies of the GPU, by name.

    A wait's name ends with the line of the package that caused it.
    """

    operations: Counter[str] = field(default_factory=Counter)
    waits: Counter[str] = field(default_factory=Counter)
    copies: Counter[str] = field(default_factory=Counter)
    """Bytes to ("to GPU") and from ("to CPU") the GPU."""

    def __str__(self) -> str:
        """Returns the totals and what they consist of, for the message of a failed budget."""
        return (
            f"{self.operations.total()} operations {self.operations.most_common()}, "
            f"{self.waits.total()} waits {self.waits.most_common()}"
        )


class PretendGPU:
    """Counts, in all and by section.

    Attributes:
        total: since the last `reset`.
        sections: by the name of `section`.
    """

    def __init__(self) -> None:
        self.reset()
        self._section = ""

    def reset(self) -> None:
        """Starts counting from 0."""
        self.total = Usage()
        self.sections: defaultdict[str, Usage] = defaultdict(Usage)

    @contextlib.contextmanager
    def section(self, name: str) -> Iterator[Usage]:
        """Counts what the block does, not what sections inside it do, under `name` too."""
        before, self._section = self._section, name
        try:
            yield self.sections[name]
        finally:
            self._section = before

    def watch(self, monkeypatch: pytest.MonkeyPatch, owner: object, name: str) -> None:
        """Makes every call of a function a section of its name.

        Args:
            monkeypatch: undoes it.
            owner: module or class that holds the function.
            name: of the function.
        """
        function = getattr(owner, name)

        def watched(*args: Any, **kwargs: Any) -> Any:
            with self.section(name):
                return function(*args, **kwargs)

        monkeypatch.setattr(owner, name, watched)

    def _count(self, kind: str, name: str, amount: int = 1) -> None:
        for usage in (self.total, self.sections[self._section]):
            getattr(usage, kind)[name] += amount

    def operation(self, name: str) -> None:
        """Counts a kernel."""
        self._count("operations", name)

    def wait(self, reason: str) -> None:
        """Counts a wait of the host for the GPU."""
        lines = [f for f in traceback.extract_stack() if f.filename.startswith(_SOURCES)]
        place = f" {Path(lines[-1].filename).name}:{lines[-1].lineno}" if lines else ""
        self._count("waits", reason + place)

    def copied(self, tensor: Tensor, direction: str, *, waits: bool) -> None:
        """Counts a copy between host and GPU."""
        self._count("copies", direction, tensor.nbytes)
        if waits:
            self.wait(f"copy {direction}")
