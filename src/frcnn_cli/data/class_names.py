"""Names of classes that were meant to be one, as "Dog" and "dog"."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable

from frcnn_cli.errors import some_of


def alike(names: Iterable[str]) -> list[str]:
    """Returns a hint for each group of classes that differ in the case of letters only."""
    groups: dict[str, list[str]] = defaultdict(list)
    for name in names:
        groups[name.casefold()].append(name)
    return [
        f"{some_of(map(repr, group))} are {len(group)} classes: rename them if they are one"
        for group in groups.values()
        if len(group) > 1
    ]
