"""The plot of a proposal report: that it is a picture, also where there is little to draw."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

from frcnn_cli.plotting.recall import plot_recall

LEVELS = np.arange(10, 20) / 20


@pytest.mark.parametrize(("classes", "height"), [(1, 748), (40, 1584)])
def test_a_recall_plot(tmp_path, classes, height):
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
