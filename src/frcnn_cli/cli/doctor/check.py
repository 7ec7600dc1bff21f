"""One line of the report, and what a probe brings home."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

State = Literal["ok", "warning", "broken"]
"""Broken: a command cannot do its work. Warning: it can, though not as well as it could."""


@dataclass(frozen=True)
class Check:
    """What was looked at, what was found, and what to do about it."""

    name: str
    state: State
    found: str
    remedy: str = ""


@dataclass(frozen=True)
class Outcome:
    """What a probe found, or why it failed.

    Attributes:
        facts: JSON values; empty where it failed.
        problem: one line; "" where it went well.
        remedy: what the error itself advised.
    """

    facts: Mapping[str, Any] = field(default_factory=dict)
    problem: str = ""
    remedy: str = ""

    @property
    def fine(self) -> bool:
        """Whether the probe went well."""
        return not self.problem
