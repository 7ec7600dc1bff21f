"""Plots: that they are pictures, and the arithmetic of their lines."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

from frcnn_cli.plotting.curves import plot_precision_recall, plot_training, smooth

ROWS = [{"step": i, "loss": 3 - i / 50, "classification": 2 - i / 50, "box": 1} for i in range(99)]


@pytest.mark.parametrize(
    ("rows", "size"),
    [
        ([], (1152, 604)),
        (ROWS[:1], (1152, 604)),
        (ROWS, (1152, 604)),
        ([*ROWS, {"step": 99, "map": 0.5, "loss": None}], (1152, 921)),
        ([{**row, "lr": 0.001} for row in ROWS], (1152, 806)),
    ],
)
def test_a_training_plot(tmp_path, rows, size):
    plot_training(rows, tmp_path / "training.png")
    with Image.open(tmp_path / "training.png") as picture:
        assert picture.size == size


def test_a_precision_recall_plot(tmp_path):
    curve = np.array([1, 0.5]), np.array([0.5, 0.5])
    nothing = np.zeros(0), np.zeros(0)
    curves = {"cat": curve, "dog": nothing, "emu": nothing}
    plot_precision_recall(curves, tmp_path / "pr.png", ap={"cat": 0.5, "dog": 0.0, "emu": None})
    with Image.open(tmp_path / "pr.png") as picture:
        assert picture.size == (691, 417)  # two small plots side by side; emu has none


def test_no_classes_make_an_empty_plot(tmp_path):
    plot_precision_recall({}, tmp_path / "pr.png", ap={})
    assert (tmp_path / "pr.png").stat().st_size > 0


def test_smoothing_begins_at_the_first_value_and_keeps_a_constant():
    assert smooth(np.array([4.0, 4, 4]), 10).tolist() == pytest.approx([4, 4, 4])
    # Span 2 halves the weight at each step: (1/2 · 0 + 3) / (1/2 + 1) = 2
    assert smooth(np.array([0.0, 3]), 2).tolist() == pytest.approx([0, 2])
    assert smooth(np.zeros(0), 2).shape == (0,)
