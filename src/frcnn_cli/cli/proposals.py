"""`frcnn proposals`: search the regions of photographs and keep them in the cache."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from frcnn_cli.cli import options
from frcnn_cli.cli.console import Terminal

EXAMPLES = """[bold]Examples[/]

[cyan]frcnn proposals images/[/]

[cyan]frcnn proposals photo.jpg --preset quality --export boxes.npz[/]
"""


def proposals(
    paths: Annotated[
        list[Path],
        typer.Argument(metavar="PATH", help="Photographs, or folders of them."),
    ],
    *,
    cache_dir: options.CacheDir = options.DEFAULT_CACHE,
    config: options.ConfigFile = None,
    quiet: options.Quiet = False,
    verbose: options.Verbose = False,
    as_json: options.AsJson = False,
) -> None:
    """Search the regions of photographs (selective search) and keep them in the cache."""
    with Terminal(quiet, verbose, as_json) as terminal:
        settings = options.Settings.load(config)
        terminal.say(f"{settings} {paths} {cache_dir}")
