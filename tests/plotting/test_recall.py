"""The plot of a proposal report: what its panels hold, also where there is little to draw."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

from frcnn_cli.plotting.palette import BLUE, RED
from frcnn_cli.plotting.recall import plot_recall
from support.images import has_colour

LEVELS = np.arange(10, 20) / 20


@pytest.mark.parametrize(("classes", "height"), [(1, 748), (40, 1584)])
def test_a_recall_plot(tmp_path, saved_figures, classes, height):
    plot_recall(
        tmp_path / "report.png",
        levels=LEVELS,
        everything=1.5 - LEVELS,
        sizes={"small": 1 - LEVELS} if classes > 1 else {},
        by_count=(np.array([10, 20, 35]), np.array([0.2, 0.3, 0.4])),
        classes={f"class {i}": (i / classes, 0.5) for i in range(classes)},
        title="a title",
    )
    with Image.open(tmp_path / "report.png") as picture:
        assert picture.size == (1440, height)
        assert has_colour(picture, BLUE)
        assert has_colour(picture, RED)
    by_overlap, by_count, by_class = saved_figures[0].axes
    drawn = {line.get_label(): line.get_ydata().tolist() for line in by_overlap.lines}
    small = {"small": (1 - LEVELS).tolist()} if classes > 1 else {}
    assert drawn == {**small, "all": (1.5 - LEVELS).tolist()}
    assert all(line.get_xdata().tolist() == LEVELS.tolist() for line in by_overlap.lines)
    assert by_count.lines[0].get_xydata().tolist() == [[10, 0.2], [20, 0.3], [35, 0.4]]
    assert [text.get_text() for text in by_count.texts] == ["0.400"]
    names = [label.get_text() for label in by_class.get_yticklabels()]
    assert names == [f"class {i}" for i in range(classes)]  # the best class on top
    assert [bar.get_width() for bar in by_class.patches] == [i / classes for i in range(classes)]
    assert list(by_class.lines[0].get_xdata()) == [0.5] * classes
