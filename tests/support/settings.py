"""Recipes for tests, by the names of their settings."""

from __future__ import annotations

from typing import Any

from frcnn_cli.config import TrainConfig, override


def train_config(**values: Any) -> TrainConfig:
    """Returns the paper's recipe with these settings changed, whatever group holds them."""
    return override(TrainConfig(), values)


def changed(config: TrainConfig, **values: Any) -> TrainConfig:
    """Returns a recipe with these settings changed, whatever group holds them."""
    return override(config, values)
