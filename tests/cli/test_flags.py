"""A setting is one edit: its flag, its range, its help and its page follow from the field."""

from __future__ import annotations

from dataclasses import dataclass, fields
from pathlib import Path
from typing import Annotated, Any, Literal, get_args, get_origin

import pytest
import typer
from msgspec import Meta
from typer.testing import CliRunner

from frcnn_cli.cli import options
from frcnn_cli.cli.app import app
from frcnn_cli.config import Config, InputConfig, ModelConfig, TrainConfig, override
from frcnn_cli.config.fields import Flag, Setting
from frcnn_cli.config.recipes import nearest
from frcnn_cli.errors import ConfigError
from frcnn_cli.training.runs.events import TrainStart

TRAIN = typer.main.get_command(app).commands["train"]
PAGE = Path(__file__).parents[2] / "docs" / "reference" / "settings.md"
FLAGGED = {
    name: each
    for section in (ModelConfig, InputConfig, TrainConfig)
    for name, each in options.flagged(section).items()
}


@dataclass(frozen=True)
class Made(Config):
    """Settings that frcnn does not have."""

    strength: Annotated[float, Meta(ge=0, le=2), Flag("X", "Panel", "so much")] = 1.0
    """Strength of what is made, with `backquotes`."""
    silent: int = 3
    """It has no flag."""


def another_value(setting: Setting) -> Any:
    """Returns a value other than the default that the type of the field allows."""
    default = setting.default
    kind, *rest = get_args(setting.hint)
    if get_origin(kind) is Literal:
        return next(value for value in get_args(kind) if value != default)
    if kind in (bool, str):
        return not default if kind is bool else f"{default}2"
    limits = next((each for each in rest if isinstance(each, Meta)), Meta())
    low, high = (
        next((end for end in ends if end is not None), default + beyond)
        for ends, beyond in (((limits.ge, limits.gt), -2), ((limits.le, limits.lt), 2))
    )
    farther = max(low, high, key=lambda end: abs(end - default))
    return farther if kind is int else (default + farther) / 2


def run(*words: str) -> tuple[Any, list[dict[str, Any]]]:
    """Returns what a command with the flags of `Made` answers, and what it was given."""
    given: list[dict[str, Any]] = []

    @options.command(without=("cache_dir", "config"), flags=(Made,))
    def made(context: options.CommandContext, *, size: int = 1, **flags: Any) -> None:
        given.append({"size": size, "quiet": context.quiet, **flags})

    command = typer.Typer()
    command.command()(made)
    return CliRunner().invoke(command, words, env={"COLUMNS": "100"}), given


def test_a_field_that_is_marked_is_an_option() -> None:
    assert run("--strength", "2", "-q")[1] == [{"size": 1, "quiet": True, "strength": 2.0}]
    assert run("--size", "4")[1] == [{"size": 4, "quiet": False, "strength": None}]


def test_its_range_and_its_help_are_the_fields() -> None:
    refused, given = run("--strength", "2.5")
    assert (refused.exit_code, given) == (2, [])
    shown = run("--help")[0].output
    assert "Strength of what is made, with backquotes." in shown
    assert "so much" in shown
    assert "--silent" not in shown
    assert "--cache-dir" not in shown


@pytest.mark.parametrize("name", FLAGGED)
def test_every_marked_setting_is_an_option_of_train_and_on_its_page(name: str) -> None:
    (option,) = (each for each in TRAIN.params if each.name == name)
    assert option.opts == [f"--{name.replace('_', '-')}"]
    assert option.help == FLAGGED[name].help.replace("`", "")
    assert f"| `{name}` |" in PAGE.read_text("utf-8")


@pytest.mark.parametrize("name", options.flagged(TrainConfig))
def test_every_marked_setting_is_checked_and_shown_at_the_start(name: str) -> None:
    with pytest.raises(ConfigError, match=f"{name} is "):
        override(TrainConfig(), {name: ()})
    changed = override(TrainConfig(), {name: another_value(FLAGGED[name])})
    shown = {each.name for each in fields(TrainStart)} | nearest(changed, "vgg16")[1].keys()
    assert name in shown or name == "epochs"  # shown as the steps that they take
