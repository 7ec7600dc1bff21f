"""Recipes by numbers."""

from __future__ import annotations

import pytest

from frcnn_cli.config import TrainConfig
from frcnn_cli.recipes import for_batch


def test_four_times_the_photographs_take_four_times_the_rate_and_a_quarter_of_the_steps() -> None:
    base = TrainConfig(iterations=40_000, lr=0.001, warmup=100, ema=0.998, images_per_batch=2)
    scaled = for_batch(base, 8)
    assert (scaled.images_per_batch, scaled.iterations, scaled.warmup) == (8, 10_000, 25)
    assert scaled.lr == pytest.approx(0.004)
    assert scaled.ema == pytest.approx(0.998**4)
    assert scaled.lr_steps == base.lr_steps  # fractions of the run
    assert for_batch(base, 2) == base
