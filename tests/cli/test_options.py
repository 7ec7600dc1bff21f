"""Defaults < file < flags."""

from __future__ import annotations

import pytest

from frcnn_cli.cli.options import Settings
from frcnn_cli.config import InputConfig, ProposalConfig
from frcnn_cli.config.recipes import recipe
from frcnn_cli.errors import ConfigError


def test_defaults_lie_under_the_file_and_the_file_under_flags(tmp_path):
    file = tmp_path / "settings.toml"
    file.write_text("[proposals]\nseed = 3\nmax_side = 800\n")
    settings = Settings.load(file)
    config = settings.apply(ProposalConfig(), max_side=600, preset=None)
    assert config == ProposalConfig(seed=3, max_side=600)


def test_the_file_of_the_working_directory_is_found(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert Settings.load(None) == Settings({})
    (tmp_path / "frcnn.toml").write_text("[proposals]\nseed = 3\n")
    assert Settings.load(None).apply(ProposalConfig()).seed == 3


def test_a_named_file_must_be_there(tmp_path):
    with pytest.raises(ConfigError, match=r"gone\.toml"):
        Settings.load(tmp_path / "gone.toml")


def test_settings_are_checked_against_the_recipe_that_they_change(tmp_path):
    """A long side of 500 fits a short side of 480 and not the paper's of 600."""
    file = tmp_path / "settings.toml"
    file.write_text("[input]\nlong_side = 500\n")
    settings = Settings.load(file)
    assert settings.apply(InputConfig(480, 800)) == InputConfig(480, 500)
    with pytest.raises(ConfigError, match=r"settings\.toml: \[input\] long_side 500 is less than"):
        settings.apply(recipe("paper", "efficientnet_lite0").input)
