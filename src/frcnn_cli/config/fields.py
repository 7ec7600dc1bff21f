"""Declaration of settings; ranges, messages and flags follow from it.

A setting is a field of a frozen dataclass: its type gives the range, the line below it the help.
Values are checked against it wherever an object is built: from Python, from `frcnn.toml`, from
flags, from a saved run.
"""

from __future__ import annotations

import ast
import difflib
import functools
import inspect
import typing
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, fields, is_dataclass, replace
from enum import StrEnum
from itertools import pairwise
from typing import Annotated, Any, Literal, TypeVar, get_args, get_origin

import msgspec
from msgspec import Meta

from frcnn_cli.errors import ConfigError

Count = Annotated[int, Meta(ge=0)]
PositiveInt = Annotated[int, Meta(ge=1)]
Side = Annotated[int, Meta(ge=32)]
Amount = Annotated[float, Meta(ge=0)]
PositiveFloat = Annotated[float, Meta(gt=0)]
Fraction = Annotated[float, Meta(ge=0, le=1)]
FractionBelowOne = Annotated[float, Meta(ge=0, lt=1)]

_BOUNDS = {"ge": "of at least", "gt": "above", "le": "at most", "lt": "below"}
_KINDS = {int: "whole number", float: "number", str: "text", bool: "true or false"}
_LARGEST, _LARGEST_WHOLE = 1e300, 2**63
"""No setting is as large; infinity and NaN are refused by the same comparison."""
_SHOWN_CHARACTERS = 60

ConfigT = TypeVar("ConfigT", bound="Config")


class Panel(StrEnum):
    """Headings in the help of a command under which its options are listed."""

    NETWORK = "Network"
    SEARCH = "Search"
    IMAGES = "Images"
    SCHEDULE = "Schedule"
    EVALUATION = "Checkpoints and evaluation"


class ContradictionError(ConfigError):
    """Two settings that do not agree; each may be right beside another recipe's values."""


@dataclass(frozen=True)
class Config:
    """Base of every group of settings: converts and checks each value when it is built.

    Raises:
        ConfigError: a value of the wrong type or out of range.
    """

    def __post_init__(self) -> None:
        for name, hint in self.hints().items():
            if not is_dataclass(hint):
                object.__setattr__(self, name, _converted(name, getattr(self, name), hint))

    @classmethod
    @functools.cache
    def hints(cls) -> Mapping[str, Any]:
        """Returns the type of each field, with its range."""
        return typing.get_type_hints(cls, include_extras=True)

    @classmethod
    @functools.cache
    def settings(cls) -> Mapping[str, Setting]:
        """Returns the settings by name, those of its groups among them."""
        return {setting.name: setting for setting in _declared(cls)}


@dataclass(frozen=True)
class Flag:
    """Marks a setting that is a flag of the command line too; stands in the type of its field.

    Attributes:
        metavar: what its help calls the value.
        panel: heading in the help under which it is listed; "" is the command's own.
        default: what its help shows as the default; "" is the field's.
        name: of the flag; "" is the field's.
        when_resumed: whether a run that goes on may change it.
    """

    metavar: str
    panel: str = ""
    default: str = ""
    name: str = ""
    when_resumed: bool = False


@dataclass(frozen=True)
class Setting:
    """A field as it was declared.

    Attributes:
        name: unique among the settings of a section.
        group: field of the section that holds it; "" is the section itself.
        hint: its type, with its range.
        help: the line below it.
        default: its value where nothing sets it.
    """

    name: str
    group: str
    hint: Any
    help: str
    default: Any

    @property
    def flag(self) -> Flag | None:
        """The flag that sets it; None where only `frcnn.toml` does."""
        return next((each for each in get_args(self.hint)[1:] if isinstance(each, Flag)), None)

    def of(self, config: Config) -> Any:
        """Returns the value that a section has for it."""
        return getattr(getattr(config, self.group) if self.group else config, self.name)


def flat(config: Config) -> dict[str, Any]:
    """Returns every value of a section by name, without its groups."""
    return {name: setting.of(config) for name, setting in config.settings().items()}


def override(config: ConfigT, values: Mapping[str, Any]) -> ConfigT:
    """Returns `config` with the settings in `values` replaced, whatever group holds them.

    A value of None changes nothing.

    Raises:
        ConfigError: an unknown key, a value of the wrong type, or one out of range.
    """
    known = config.settings()
    changes: dict[str, dict[str, Any]] = {}
    for name, value in values.items():
        if name not in known:
            raise ConfigError(f"unknown key {name!r}", remedy=_suggestion(name, known))
        if value is not None:
            changes.setdefault(known[name].group, {})[name] = value
    changed = changes.pop("", {})
    groups = {name: replace(getattr(config, name), **inner) for name, inner in changes.items()}
    return replace(config, **groups, **changed)


def from_dict(section: type[ConfigT], saved: Mapping[str, Any]) -> ConfigT:
    """Inverse of `dataclasses.asdict`; what is missing has its default.

    Raises:
        ConfigError: an unknown key, a value of the wrong type, or one out of range.
    """
    hints = section.hints()
    if not isinstance(saved, Mapping):
        raise ConfigError(f"settings are {_shown(saved)}")
    for name in saved:
        if name not in hints:
            raise ConfigError(f"unknown key {name!r}")
    values = {
        name: from_dict(hints[name], value) if is_dataclass(hints[name]) else value
        for name, value in saved.items()
    }
    return section(**values)


def agree(holds: bool, problem: str, remedy: str) -> None:
    """Refuses two settings that do not agree.

    Args:
        holds: whether they agree.
        problem: what to report where they do not.
        remedy: what to do then.

    Raises:
        ContradictionError: it does not hold.
    """
    if not holds:
        raise ContradictionError(problem, remedy=remedy)


def expected(hint: Any) -> str:
    """Returns the values of a type in words, such as "whole number of at least 1"."""
    if get_origin(hint) is Annotated:
        kind, *metas = get_args(hint)
        ranges = [
            f"{word} {bound:g}"
            for meta in metas
            if isinstance(meta, Meta)
            for name, word in _BOUNDS.items()
            if (bound := getattr(meta, name)) is not None
        ]
        return f"{expected(kind)} {' and '.join(ranges)}".rstrip()
    if get_origin(hint) is Literal:
        return f"one of {', '.join(get_args(hint))}"
    if get_origin(hint) is tuple:
        kinds = get_args(hint)
        number = "" if ... in kinds else f"{len(kinds)} "
        return f"list of {number}{expected(kinds[0]).replace('number', 'numbers', 1)}"
    return _KINDS[hint]


def _declared(section: type[Config], group: str = "") -> Iterator[Setting]:
    notes = _notes(section)
    for field in fields(section):
        hint = section.hints()[field.name]
        if is_dataclass(hint):
            yield from _declared(typing.cast(type[Config], hint), field.name)
        else:
            yield Setting(field.name, group, hint, notes.get(field.name, ""), field.default)


def _notes(section: type[Config]) -> Mapping[str, str]:
    """Returns the docstring lines below the fields, which Python itself does not keep."""
    try:
        (definition,) = ast.parse(inspect.getsource(section)).body
    except OSError:  # installed without its source
        return {}
    assert isinstance(definition, ast.ClassDef)
    return {
        field.target.id: " ".join(ast.literal_eval(note.value).split())
        for field, note in pairwise(definition.body)
        if isinstance(field, ast.AnnAssign)
        and isinstance(field.target, ast.Name)
        and isinstance(note, ast.Expr)
    }


def _converted(name: str, value: Any, hint: Any) -> Any:
    problem = f"{name} is {_shown(value)}"
    if not _is_sane(value):
        raise ConfigError(problem, remedy="use a finite number, not as large")
    try:
        return msgspec.convert(value, hint)
    except msgspec.ValidationError as error:
        words = expected(hint)
        if words.endswith("at least 0 and at most 1") and value in range(2, 101):
            words += f", such as {value / 100:g} for {value:g} %"
        article = "a " if words.startswith(("whole", "number", "list")) else ""
        raise ConfigError(problem, remedy=f"use {article}{words}") from error


def _is_sane(value: Any) -> bool:
    if isinstance(value, list | tuple):
        return all(map(_is_sane, value))
    largest = _LARGEST_WHOLE if isinstance(value, int) else _LARGEST
    return not isinstance(value, int | float) or abs(value) < largest


def _suggestion(name: str, known: Mapping[str, Setting]) -> str:
    """Returns the key that was meant, by its letters or by its help; else all keys."""
    words = name.replace("_", " ").lower()
    meant = (
        difflib.get_close_matches(name, known, n=1, cutoff=0.7)
        or [key for key in known if name in key]
        or [each.name for each in known.values() if words in each.help.lower()]
    )
    return f"did you mean {meant[0]}?" if meant else f"known keys are {', '.join(sorted(known))}"


def _shown(value: Any) -> str:
    """Returns what a line has room for of a value."""
    try:
        text = repr(value)
    except ValueError:  # Python writes out no number of more than 4,300 digits
        return "a very large number"
    return text if len(text) <= _SHOWN_CHARACTERS else f"{text[:_SHOWN_CHARACTERS]}…"
