"""A setting is one edit: its flag, its range, its help and its page follow from the field."""

from __future__ import annotations

from dataclasses import dataclass, fields
from pathlib import Path
from typing import Annotated, Any

import pytest
import typer
from msgspec import Meta
from typer.testing import CliRunner

from frcnn_cli.cli import options
from frcnn_cli.cli.app import app
from frcnn_cli.config import Config, InputConfig, ModelConfig, TrainConfig, override
from frcnn_cli.config.fields import Flag
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
OTHER = {"precision": "float32", "eval_split": "test", "stage_wise": True, "flip_prob": 0.25}
"""Values that are not the default, of settings that are not numbers or have little room."""


@dataclass(frozen=True)
class Made(Config):
    """Settings that frcnn does not have."""

    strength: Annotated[float, Meta(ge=0, le=2), Flag("X", "Panel", "so much")] = 1.0
    """Strength of what is made, with `backquotes`."""
    silent: int = 3
    """It has no flag."""


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
    value = OTHER.get(name) or 2 * FLAGGED[name].default + 1
    changed = override(TrainConfig(), {name: value})
    shown = {each.name for each in fields(TrainStart)} | nearest(changed, "vgg16")[1].keys()
    assert name in shown or name == "epochs"  # shown as the steps that they take
