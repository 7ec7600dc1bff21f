"""What every command has in common: its shared options and the settings of `frcnn.toml`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, TypeVar

import typer

from frcnn_cli import config as configuration
from frcnn_cli.errors import ConfigError

_PANEL = "Common options"
_DEFAULT_FILE = Path("frcnn.toml")
DEFAULT_CACHE = Path(".frcnn")

CacheDir = Annotated[
    Path,
    typer.Option(
        "--cache-dir",
        envvar="FRCNN_CACHE_DIR",
        metavar="DIR",
        help="Where proposals, splits and runs are kept.",
        rich_help_panel=_PANEL,
    ),
]
ConfigFile = Annotated[
    Path | None,
    typer.Option(
        "--config",
        metavar="FILE",
        help="Settings; flags win over it.",
        show_default="frcnn.toml, if there is one",
        rich_help_panel=_PANEL,
    ),
]
Quiet = Annotated[
    bool,
    typer.Option("--quiet", "-q", metavar="", help="Print errors only.", rich_help_panel=_PANEL),
]
Verbose = Annotated[
    bool,
    typer.Option(
        "--verbose",
        "-v",
        metavar="",
        help="Print each decision, and tracebacks.",
        rich_help_panel=_PANEL,
    ),
]
AsJson = Annotated[
    bool,
    typer.Option(
        "--json",
        metavar="",
        help="Print the result as one JSON object on stdout.",
        rich_help_panel=_PANEL,
    ),
]

Gpus = Annotated[
    int | None,
    typer.Option(
        "--gpus",
        min=0,
        metavar="N",
        help="1: a GPU; 0: the CPU.",
        show_default="a GPU if there is one",
    ),
]
Checkpoint = Annotated[
    Path | None,
    typer.Option(
        "--checkpoint",
        metavar="FILE",
        help="The detector; bundled is the one in the box.",
        show_default="the newest best of the cache, else the bundled one",
    ),
]
Scheduler = Annotated[
    str,
    typer.Option(
        "--scheduler",
        metavar="ADDRESS",
        help="Search on a Dask cluster, such as tcp://10.0.0.1:8786, instead of here.",
        show_default=False,
    ),
]
Vote = Annotated[
    float | None,
    typer.Option(
        "--vote",
        min=0,
        max=1,
        metavar="IOU",
        help="Overlap from which a class's boxes vote on the one that stays; 0: none, as in the "
        "paper.",
        show_default=str(configuration.DetectConfig.vote),
    ),
]

ConfigT = TypeVar("ConfigT", bound=configuration.Config)


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
        return cls(configuration.load_file(found), found)

    def apply(self, section: str, base: ConfigT, **flags: Any) -> ConfigT:
        """Returns `base` with the file's `section` and then the `flags` (None: not given) set.

        Raises:
            ConfigError: a value of the wrong type or out of range, or values that do not agree.
        """
        try:
            from_file = configuration.override(base, self.tables.get(section, {}))
        except ConfigError as error:
            raise ConfigError(
                f"[{section}] {error.problem}", remedy=error.remedy, file=self.file
            ) from error
        return configuration.override(from_file, flags)
