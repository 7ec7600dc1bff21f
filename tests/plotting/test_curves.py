"""Plots: what their axes hold, and the arithmetic of their lines."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

from frcnn_cli.plotting.curves import plot_precision_recall, plot_training, smooth
from frcnn_cli.plotting.palette import BLUE, INK, RED
from support.images import has_colour

ROWS = [{"step": i, "loss": 3 - i / 50, "classification": 2 - i / 50, "box": 1} for i in range(99)]


@pytest.mark.parametrize(
    ("rows", "size", "lines"),
    [
        ([], (1152, 604), [0]),
        (ROWS[:1], (1152, 604), [6]),
        (ROWS, (1152, 604), [6]),
        ([*ROWS, {"step": 99, "map": 0.5, "loss": None}], (1152, 921), [6, 1]),
        ([{**row, "lr": 0.001} for row in ROWS], (1152, 806), [6, 1]),
    ],
)
def test_a_training_plot(tmp_path, saved_figures, rows, size, lines):
    plot_training(rows, tmp_path / "training.png")
    with Image.open(tmp_path / "training.png") as picture:
        assert picture.size == size
        if len(rows) > 1:
            assert all(has_colour(picture, colour) for colour in (INK, BLUE, RED))
    panels = saved_figures[0].axes
    assert [len(panel.lines) for panel in panels] == lines
    known = [row for row in rows if row.get("loss") is not None]
    for column, line in zip(("loss", "classification", "box"), panels[0].lines[::2], strict=False):
        assert line.get_xdata().tolist() == [row["step"] for row in known]
        assert line.get_ydata().tolist() == [row[column] for row in known]
    for panel in panels[1:]:
        column = "map" if "map" in rows[-1] else "lr"
        assert panel.lines[0].get_ydata().tolist() == [r[column] for r in rows if column in r]


def test_the_best_map_is_marked(tmp_path, saved_figures):
    plot_training([{"step": i, "map": ap} for i, ap in enumerate((0.1, 0.4, 0.3))], tmp_path / "a")
    assert [text.get_text() for text in saved_figures[0].axes[1].texts] == ["best 0.400 at 1"]


def test_a_precision_recall_plot(tmp_path, saved_figures):
    curve = np.array([1, 0.5]), np.array([0.5, 0.75])
    nothing = np.zeros(0), np.zeros(0)
    curves = {"dog": nothing, "cat": curve, "emu": nothing}
    plot_precision_recall(curves, tmp_path / "pr.png", ap={"cat": 0.5, "dog": 0.0, "emu": None})
    with Image.open(tmp_path / "pr.png") as picture:
        assert picture.size == (691, 417)  # two small plots side by side; emu has none
        assert has_colour(picture, BLUE)
    cat, dog = saved_figures[0].axes
    assert [panel.get_title("left") for panel in (cat, dog)] == ["cat  0.500", "dog  0.000"]
    assert cat.lines[0].get_xydata().tolist() == [[0, 1], [0.5, 1], [0.75, 0.5]]
    assert len(dog.lines[0].get_xydata()) == 0


def test_no_classes_make_an_empty_plot(tmp_path, saved_figures):
    plot_precision_recall({}, tmp_path / "pr.png", ap={})
    assert len(saved_figures[0].axes[0].lines) == 0
    with Image.open(tmp_path / "pr.png") as picture:
        assert not has_colour(picture, BLUE)


def test_smoothing_begins_at_the_first_value_and_keeps_a_constant():
    assert smooth(np.array([4.0, 4, 4]), 10).tolist() == pytest.approx([4, 4, 4])
    # Span 2 halves the weight at each step: (1/2 · 0 + 3) / (1/2 + 1) = 2
    assert smooth(np.array([0.0, 3]), 2).tolist() == pytest.approx([0, 2])
    assert smooth(np.zeros(0), 2).shape == (0,)
