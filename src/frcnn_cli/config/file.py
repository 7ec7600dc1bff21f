"""Settings from a `frcnn.toml`, and settings put over others."""

from __future__ import annotations

import dataclasses
import tomllib
import typing
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal, TypeVar, get_args

from frcnn_cli.config.checks import ContradictionError, require
from frcnn_cli.config.sections import (
    DetectConfig,
    EvalConfig,
    InputConfig,
    ModelConfig,
    ProposalConfig,
    SpeedConfig,
)
from frcnn_cli.config.train import TrainConfig
from frcnn_cli.errors import ConfigError
from frcnn_cli.files import reading

ConfigT = TypeVar("ConfigT")

SECTIONS: Mapping[str, type] = {
    "proposals": ProposalConfig,
    "model": ModelConfig,
    "input": InputConfig,
    "train": TrainConfig,
    "detect": DetectConfig,
    "speed": SpeedConfig,
    "eval": EvalConfig,
}
"""The tables of `frcnn.toml` and what each one sets."""

_LARGEST, _LARGEST_WHOLE = 1e300, 2**63
"""No setting is as large; infinity and NaN are none either."""
_ROOM = 60


def load_file(path: Path) -> dict[str, dict[str, Any]]:
    """Reads a `frcnn.toml` into {section: {field: value}}, refusing what it does not know.

    Whether settings agree with each other shows when they are put over the values of a recipe.

    Raises:
        ConfigError: the file cannot be read, has an unknown section or key, or a value that no
            recipe could have.
    """
    try:
        with reading(path, ConfigError), path.open("rb") as stream:
            tables = tomllib.load(stream)
    except ValueError as error:  # also a number of more digits than Python reads
        raise ConfigError(f"is not TOML: {error}", file=path) from error
    for section, values in tables.items():
        if section not in SECTIONS or not isinstance(values, dict):
            known = ", ".join(f"[{name}]" for name in SECTIONS)
            raise ConfigError(f"unknown section {section!r}", remedy=f"use {known}", file=path)
        try:
            override(SECTIONS[section](), values)
        except ContradictionError:
            continue
        except ConfigError as error:
            raise ConfigError(
                f"[{section}] {error.problem}", remedy=error.remedy, file=path
            ) from error
    return tables


def override(config: ConfigT, values: Mapping[str, Any]) -> ConfigT:
    """Returns `config` with the fields in `values` replaced; a value of None changes nothing.

    Raises:
        ConfigError: an unknown field, a value of the wrong type, or one out of range.
    """
    hints = typing.get_type_hints(type(config))
    changes = {}
    for name, value in values.items():
        if name not in hints:
            known = ", ".join(sorted(hints))
            raise ConfigError(f"unknown key {name!r}", remedy=f"known keys are {known}")
        if value is not None:
            changes[name] = _checked(name, value, hints[name])
    return dataclasses.replace(config, **changes)  # type: ignore[type-var]


def _checked(name: str, value: Any, hint: Any) -> Any:
    """Returns `value` as the type `hint` (a scalar, a Literal or a tuple of scalars)."""
    origin = typing.get_origin(hint)
    said = f"{name} is {_shown(value)}"
    if origin is Literal:
        choices = get_args(hint)
        require(value in choices, said, f"use one of {', '.join(choices)}")
        return value
    if origin is tuple:
        kinds = [kind for kind in get_args(hint) if kind is not ...]
        fits = isinstance(value, list | tuple) and (
            ... in get_args(hint) or len(value) == len(kinds)
        )
        require(fits, said, f"use a list of {kinds[0].__name__}")
        return tuple(_checked(name, item, kinds[0]) for item in value)
    assert isinstance(hint, type)
    if isinstance(value, int | float):
        largest = _LARGEST_WHOLE if hint is int else _LARGEST
        require(-largest < value < largest, said, "use a finite number, not as large")
    if hint is float and isinstance(value, int) and not isinstance(value, bool):
        value = float(value)
    fits = isinstance(value, hint) and (hint is bool or not isinstance(value, bool))
    require(fits, said, f"use a value of type {hint.__name__}")
    return value


def _shown(value: Any) -> str:
    """Returns what a line has room for of a value."""
    try:
        text = repr(value)
    except ValueError:  # Python writes out no number of more than 4,300 digits
        return "a very large number"
    return text if len(text) <= _ROOM else f"{text[:_ROOM]}…"
