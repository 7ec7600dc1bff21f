"""Commands whose help names values as it was written, whatever Typer adds of its own."""

from __future__ import annotations

from typing import Any

from typer.core import TyperArgument, TyperCommand, TyperGroup


class Command(TyperCommand):
    """A command without Typer's `<type>` of --help and of arguments, and braces in the usage."""

    def get_params(self, ctx: Any) -> list[Any]:
        """Returns the parameters, as they are shown."""
        return _plain(super().get_params(ctx))


class Commands(TyperGroup):
    """A group of commands, with the same help."""

    def get_params(self, ctx: Any) -> list[Any]:
        """Returns the parameters, as they are shown."""
        return _plain(super().get_params(ctx))


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
