"""Commands whose help names values as it was written, whatever Typer adds of its own."""

from __future__ import annotations

import re
import sys
from collections.abc import Mapping
from itertools import pairwise
from typing import Any

import typer
from typer.core import TyperArgument, TyperCommand, TyperGroup

from frcnn_cli.cli.ranks import leave_to_first

UsageError: type[Exception] = typer.BadParameter.__mro__[1]  # click's, or a copy in Typer
"""Of a wrong command line."""
USAGE = 2
_PLAIN: Mapping[str, str] = {
    r"^Value error, ": "",
    r"^Input should be less than or equal to 1$": "it must be at most 1: 50 % is 0.5",
    r"^Input should be less than or equal to ": "it must be at most ",
    r"^Input should be greater than or equal to ": "it must be at least ",
    r"^Input should be a valid integer.*": "it must be a whole number",
    r"^Input should be a valid number.*": "it must be a number",
}
"""What pydantic writes, in which Typer checks values, and what is shown instead."""


class Command(TyperCommand):
    """A command without Typer's `<type>` of --help and of arguments, and braces in the usage."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Reads the command line; an empty value, which as a path would be ".", is refused."""
        for before, value in pairwise(["", *args]):
            name = before if before.startswith("--") else "an argument"
            if not value or re.fullmatch("--[^=]+=", value):
                raise UsageError(f"{value.rstrip('=') or name} is empty; is a variable not set?")
        return super().parse_args(ctx, args)

    def get_params(self, ctx: Any) -> list[Any]:
        """Returns the parameters, as they are shown."""
        return _plain(super().get_params(ctx))

    def format_help(self, ctx: Any, formatter: Any) -> None:
        """Prints the help."""
        _use_readable_colours()
        super().format_help(ctx, formatter)


class Commands(TyperGroup):
    """A group of commands, with the same help."""

    def get_params(self, ctx: Any) -> list[Any]:
        """Returns the parameters, as they are shown."""
        return _plain(super().get_params(ctx))

    def format_help(self, ctx: Any, formatter: Any) -> None:
        """Prints the help."""
        _use_readable_colours()
        super().format_help(ctx, formatter)

    def invoke(self, ctx: Any) -> Any:
        """Runs the command."""
        try:
            return super().invoke(ctx)
        except UsageError as error:
            if ctx.invoked_subcommand == "train":
                leave_to_first(USAGE)
            if isinstance(error, typer.BadParameter):
                for written, shown in _PLAIN.items():
                    error.message = re.sub(written, shown, error.message)
            raise
        finally:
            if hasattr(sys.exception(), "format_message"):  # a wrong command line, which is printed
                _use_readable_colours()


def _use_readable_colours() -> None:
    """Replaces colours of Typer: yellow cannot be read on white, nor blue on black."""
    from typer import rich_utils  # takes a while, and is needed for help and errors alone

    rich_utils.STYLE_TYPES = rich_utils.STYLE_USAGE = "bold"
    rich_utils.STYLE_OPTION_ENVVAR = "dim"
    rich_utils.RICH_HELP = rich_utils.RICH_HELP.replace("[blue]", "[cyan]")


def _plain(parameters: list[Any]) -> list[Any]:
    for each in parameters:
        if isinstance(each, TyperArgument):
            name = f"{each.metavar}" if each.required else f"[{each.metavar}]"
            name += "..." if each.nargs != 1 else ""
            shown = {
                "display_type_rich": lambda *_, **__: None,
                "_usage_display_name": lambda name=name: name,
            }
            vars(each).update(shown)  # methods of Typer 0.29; earlier versions have no such names
        elif each.is_flag and each.metavar is None:
            each.metavar = ""
    return parameters
