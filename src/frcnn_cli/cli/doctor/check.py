"""A line of the report, and the result of a probe."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

State = Literal["ok", "warning", "broken"]
"""Broken: a command cannot work. Warning: it works, but not optimally."""


@dataclass(frozen=True)
class Check:
    """The name, state, finding and remedy of one part."""

    name: str
    state: State
    found: str
    remedy: str = ""


@dataclass(frozen=True)
class Outcome:
    """The result of a probe.

    Attributes:
        facts: JSON values; empty if it failed.
        problem: why it failed, in one line; "" if it did not.
        remedy: the error's own advice.
    """

    facts: Mapping[str, Any] = field(default_factory=dict)
    problem: str = ""
    remedy: str = ""
