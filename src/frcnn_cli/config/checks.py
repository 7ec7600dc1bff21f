"""How a setting is refused."""

from __future__ import annotations

from frcnn_cli.errors import ConfigError


class ContradictionError(ConfigError):
    """Two settings that do not agree; each may be right beside another recipe's values."""


def require(holds: bool, problem: str, remedy: str) -> None:
    """Refuses a value that no recipe could have.

    Raises:
        ConfigError: it does not hold.
    """
    if not holds:
        raise ConfigError(problem, remedy=remedy)


def agree(holds: bool, problem: str, remedy: str) -> None:
    """Refuses two settings that do not agree.

    Raises:
        ContradictionError: it does not hold.
    """
    if not holds:
        raise ContradictionError(problem, remedy=remedy)
