"""Common part of all commands: shared options, flags of settings, and `frcnn.toml`."""

from __future__ import annotations

import functools
import inspect
import re
from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, fields
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, get_args, get_type_hints

import typer
from msgspec import Meta
from typer.models import ParameterInfo

from frcnn_cli import config as configuration
from frcnn_cli.cache.locks import using
from frcnn_cli.cli.help import UsageError
from frcnn_cli.cli.terminal import Terminal
from frcnn_cli.config.fields import Setting
from frcnn_cli.config.file import Settings
from frcnn_cli.errors import ConfigError

if TYPE_CHECKING:
    from frcnn_cli.cache.store import Cache

_PANEL = "Common options"
DEFAULT_CACHE = Path(".frcnn")


def argument(metavar: str, *, default: str | bool = True) -> Any:
    """Returns a positional argument, whose help is what the command's `Args:` say; see `option`."""
    return typer.Argument(metavar=metavar, show_default=default)


def option(
    metavar: str,
    *names: str,
    default: str | bool = True,
    text: str = "",
    panel: str | None = None,
    **limits: Any,
) -> Any:
    """Returns an option that takes a value.

    Args:
        metavar: what the help calls the value.
        names: of the option; none is that of the parameter.
        default: what the help shows; True is the parameter's default, unless that is None.
        text: its help; "" is what the command's `Args:` say.
        panel: heading in the help under which it is listed.
        limits: `min` and `max`, or an `envvar`.
    """
    return typer.Option(
        *names, metavar=metavar, help=text, show_default=default, rich_help_panel=panel, **limits
    )


def switch(*names: str, panel: str | None = None) -> Any:
    """Returns an option that takes no value and has no --no-… form; see `option`."""
    return typer.Option(*names, metavar="", rich_help_panel=panel)


Gpus = Annotated[
    int | None,
    option("N", "--gpus", text="1: a GPU; 0: the CPU.", default="a GPU if there is one", min=0),
]
Checkpoint = Annotated[
    Path | None,
    option(
        "FILE",
        "--checkpoint",
        text="The detector: a file, a run's folder, or bundled, the detector shipped with frcnn.",
        default="the newest finished run, else the newest, else bundled",
    ),
]
Run = Annotated[str | None, option("NAME", "--run", text="The detector of this run.")]
Scheduler = Annotated[
    str,
    option(
        "ADDRESS",
        "--scheduler",
        text="Search on a Dask cluster, such as tcp://10.0.0.1:8786, instead of here.",
    ),
]


@dataclass(frozen=True)
class CommandContext:
    """The options that every command shares, in the order of its help.

    Args:
        cache_dir: Folder for proposals, detections, splits and runs.
        config: Settings file; flags override it.
        quiet: Print errors only.
        verbose: Print more messages, and tracebacks.
        as_json: Print the result as one JSON object on stdout.
    """

    cache_dir: Annotated[Path, option("DIR", envvar="FRCNN_CACHE_DIR")] = DEFAULT_CACHE
    config: Annotated[Path | None, option("FILE", default="frcnn.toml, if there is one")] = None
    quiet: Annotated[bool, switch("--quiet", "-q")] = False
    verbose: Annotated[bool, switch("--verbose", "-v")] = False
    as_json: Annotated[bool, switch("--json")] = False

    @functools.cached_property
    def terminal(self) -> Terminal:
        """The frame that the command runs in."""
        return Terminal(self.quiet, self.verbose, self.as_json)

    @property
    def cache(self) -> Cache:
        """The cache, whose folder need not exist."""
        from frcnn_cli.cache.store import Cache

        return Cache(self.cache_dir)

    def settings(self) -> Settings:
        """Reads the file of settings."""
        return Settings.load(self.config)


def command(
    *,
    without: Collection[str] = (),
    flags: Sequence[type[configuration.Config]] = (),
    cleans_cache: bool = False,
    needs: Mapping[str, Sequence[str]] | None = None,
    excludes: Mapping[str, Sequence[str]] | None = None,
) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Adds the shared options to a command, which takes them as a `CommandContext`.

    The `Args:` of its docstring are the help of its own options.

    Args:
        without: shared options that the command does not have.
        flags: sections of settings whose flags the command has too; it takes them as `**flags`.
        cleans_cache: whether it removes from the cache what no command uses; others use it.
        needs: option → others, of which it is ignored without any, and therefore refused.
        excludes: option → others that it would ignore, and therefore refuses.
    """
    uses_cache = not cleans_cache and "cache_dir" not in without

    def decorate(function: Callable[..., None]) -> Callable[..., None]:
        signature = inspect.signature(function, eval_str=True)
        own = list(signature.parameters.values())[1:]
        documentation, helps = _documented(function)
        _describe({each.name: each.annotation for each in own}, helps)
        added = {
            name: (Annotated[get_args(each.hint)[0] | None, flag(section, name)], None)
            for section in flags
            for name, each in flagged(section).items()
        }
        hints = get_type_hints(CommandContext, include_extras=True)
        _describe(hints, _documented(CommandContext)[1], _PANEL)
        shared = {
            each.name: (hints[each.name], each.default)
            for each in fields(CommandContext)
            if each.name not in without
        }

        @functools.wraps(function)
        def run(**values: Any) -> None:
            _require_used(run, values, needs or {}, excludes or {})
            context = CommandContext(**{name: values.pop(name) for name in shared})
            with using(context.cache_dir) if uses_cache else nullcontext(), context.terminal:
                function(context, **values)

        parameters = [each for each in own if each.kind is not inspect.Parameter.VAR_KEYWORD]
        parameters += [
            inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=value, annotation=hint)
            for name, (hint, value) in {**added, **shared}.items()
        ]
        run.__signature__ = signature.replace(parameters=parameters)  # type: ignore[attr-defined]
        run.__doc__ = documentation
        run.__annotations__ = {each.name: each.annotation for each in parameters}
        return run

    return decorate


def _require_used(
    function: Callable[..., None],
    values: Mapping[str, Any],
    needs: Mapping[str, Sequence[str]],
    excludes: Mapping[str, Sequence[str]],
) -> None:
    """Refuses an option that would be ignored.

    Args:
        function: with the signature of the command.
        values: its options.
        needs: see `command`.
        excludes: see `command`.

    Raises:
        UsageError: an option lacks all that it needs, or stands beside one that it excludes.
    """
    declared = inspect.signature(function).parameters
    given = {name for name, value in values.items() if value != declared[name].default}
    for name, others in needs.items():
        if name in given and not given.intersection(others):
            wanted = " or ".join(_shown(declared[each]) for each in others)
            raise UsageError(f"{_shown(declared[name])} needs {wanted}")
    for name, others in excludes.items():
        if name in given and (both := [each for each in others if each in given]):
            ignored = " and ".join(_shown(declared[each]) for each in both)
            raise UsageError(f"{_shown(declared[name])} does not go with {ignored}")


def _shown(parameter: inspect.Parameter) -> str:
    """Returns an option as it is typed; Typer keeps the first of its names as a default."""
    (info,) = (each for each in get_args(parameter.annotation) if isinstance(each, ParameterInfo))
    names = [info.default, *(info.param_decls or ())]
    typed = (name for name in names if isinstance(name, str) and name.startswith("--"))
    return next(typed, f"--{parameter.name.replace('_', '-')}")


def _describe(hints: Mapping[str, Any], helps: Mapping[str, str], panel: str = "") -> None:
    """Gives options their help, by parameter, and the heading under which they are listed."""
    for name, info in ((name, info) for name, hint in hints.items() for info in get_args(hint)):
        if isinstance(info, ParameterInfo):
            info.help = info.help or helps.get(name, "")
            info.rich_help_panel = panel or info.rich_help_panel


def _documented(described: object) -> tuple[str, dict[str, str]]:
    """Returns a docstring without its `Args:`, and these by parameter."""
    documentation, _, arguments = inspect.cleandoc(described.__doc__ or "").partition("\n\nArgs:\n")
    helps = {}
    for entry in re.split(r"\n    (?=\w+: )", "\n" + arguments)[1:]:
        name, text = entry.split(": ", 1)
        helps[name] = " ".join(text.split())
    return documentation, helps


def flagged(section: type[configuration.Config]) -> Mapping[str, Setting]:
    """Returns the settings of a section that have a flag, by name."""
    return {name: each for name, each in section.settings().items() if each.flag is not None}


def flag(section: type[configuration.Config], name: str, default: str = "") -> Any:
    """Returns the option that sets a field: its range, help and default are the field's.

    Args:
        section: the settings.
        name: of a field that has a flag.
        default: what the help shows as the default; "" is the flag's or else the field's.
    """
    setting = section.settings()[name]
    declared = setting.flag
    assert declared is not None
    ranges = [each for each in get_args(setting.hint) if isinstance(each, Meta)]
    return typer.Option(
        declared.name or f"--{name.replace('_', '-')}",
        min=next((each.ge for each in ranges if each.ge is not None), None),
        max=next((each.le for each in ranges if each.le is not None), None),
        metavar=declared.metavar,
        help=setting.help.replace("`", ""),
        show_default=default
        or declared.default
        or (setting.default is not False and str(setting.default)),
        rich_help_panel=declared.panel or None,
    )


def whole_numbers(name: str, text: str | None, example: str) -> tuple[int, ...] | None:
    """Returns (480, 576) of "480,576", the value of the option `name`; None where it is not given.

    Args:
        name: of the option, such as "--scales".
        text: its value.
        example: a value that would do, for the message.

    Raises:
        ConfigError: it is not a list of whole numbers, such as `example`.
    """
    try:
        return None if text is None else tuple(map(int, text.split(",")))
    except ValueError as error:
        raise ConfigError(
            f"{name} is {text!r}", remedy=f"use whole numbers, such as {example}"
        ) from error
