"""Settings from a `frcnn.toml`."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from frcnn_cli.config.fields import Config, ConfigT, ContradictionError, override
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

_DEFAULT_FILE = Path("frcnn.toml")
_LARGEST = 64_000
"""Bytes of a file of settings: a file of 400 kB can keep Python's reader busy for minutes."""

SECTIONS: Mapping[str, type[Config]] = {
    "proposals": ProposalConfig,
    "model": ModelConfig,
    "input": InputConfig,
    "train": TrainConfig,
    "detect": DetectConfig,
    "speed": SpeedConfig,
    "eval": EvalConfig,
}
"""The tables of `frcnn.toml` and what each one sets."""


def load_file(path: Path) -> dict[str, dict[str, Any]]:
    """Reads a `frcnn.toml` into {section: {key: value}}, refusing what it does not know.

    Whether settings agree with each other shows when they are put over the values of a recipe.

    Raises:
        ConfigError: the file cannot be read, has an unknown section or key, or a value that no
            recipe could have.
    """
    try:
        with reading(path, ConfigError), path.open("rb") as stream:
            content = stream.read(_LARGEST + 1)
        if len(content) > _LARGEST:
            raise ConfigError(
                f"has more than {_LARGEST:,} bytes", remedy="name a file of settings", file=path
            )
        tables = tomllib.loads(content.decode())
    except (ValueError, RecursionError) as error:  # also a number of too many digits
        raise ConfigError(
            f"is not TOML: {str(error)[:500]}", remedy="correct the line", file=path
        ) from error
    for section, values in tables.items():
        if section not in SECTIONS or not isinstance(values, dict):
            known = ", ".join(f"[{name}]" for name in SECTIONS)
            raise ConfigError(f"unknown section {section!r}", remedy=f"use {known}", file=path)
        try:
            override(SECTIONS[section](), values)
        except ContradictionError:
            continue
        except ConfigError as error:
            raise error.at(path, f"[{section}] ") from error
    return tables


@dataclass(frozen=True)
class Settings:
    """The tables of a `frcnn.toml`, which lie between the defaults and the flags.

    Attributes:
        tables: the settings by section.
        file: where they were read; None without a file.
    """

    tables: Mapping[str, Mapping[str, Any]]
    file: Path | None = None

    @classmethod
    def load(cls, file: Path | None) -> Settings:
        """Reads `file`, or `frcnn.toml` of the working directory when there is one.

        Raises:
            ConfigError: the file cannot be read, or sets something unknown.
        """
        if file is None and not _DEFAULT_FILE.is_file():
            return cls({})
        found = file or _DEFAULT_FILE
        return cls(load_file(found), found)

    def apply(self, base: ConfigT, **flags: Any) -> ConfigT:
        """Returns `base` with the file's section and then the `flags` (None: not given) set.

        Raises:
            ConfigError: a value of the wrong type or out of range, or values that do not agree.
        """
        section = next(name for name, kind in SECTIONS.items() if isinstance(base, kind))
        try:
            from_file = override(base, self.tables.get(section, {}))
        except ConfigError as error:
            raise error.at(self.file, f"[{section}] ") from error
        return override(from_file, flags)
