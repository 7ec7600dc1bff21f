"""The plot of a proposal report: what can be found, by overlap, by number of boxes and by class."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import numpy.typing as npt
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, NullLocator

from frcnn_cli.plotting.curves import DOTS_PER_INCH, as_rgb, style
from frcnn_cli.plotting.palette import BLUE, GREEN, GREY, INK, RED, VIOLET
from frcnn_cli.records import DoubleArray

_COLOURS = (RED, VIOLET, GREEN)


def plot_recall(
    path: Path,
    *,
    levels: DoubleArray,
    everything: DoubleArray,
    sizes: Mapping[str, DoubleArray],
    by_count: tuple[npt.NDArray[np.int64], DoubleArray],
    classes: Mapping[str, tuple[float, float]],
    title: str,
) -> None:
    """Draws three panels into a PNG.

    Args:
        path: the file; it is written over.
        levels: (L,) IoUs.
        everything: (L,) recall of all objects at each level.
        sizes: the same by size of object; at most three.
        by_count: numbers of proposals (C,), and the recall at IoU 0.5 with as many.
        classes: recall at IoU 0.5 and average best overlap by class.
        title: the headline.
    """
    height = max(5.2, 0.24 * len(classes) + 1.4)
    figure = Figure(figsize=(10, height), layout="constrained")
    figure.suptitle(title, color=as_rgb(INK), fontweight="bold", x=0.01, ha="left")
    grid = figure.add_gridspec(2, 2, width_ratios=(1.1, 1))
    _by_overlap(figure.add_subplot(grid[0, 0]), levels, everything, sizes)
    _by_count(figure.add_subplot(grid[1, 0]), *by_count)
    _by_class(figure.add_subplot(grid[:, 1]), classes)
    figure.savefig(path, dpi=DOTS_PER_INCH, format="png")


def _by_overlap(
    panel: Axes, levels: DoubleArray, everything: DoubleArray, sizes: Mapping[str, DoubleArray]
) -> None:
    style(panel, "Recall by overlap", "recall")
    for (name, values), colour in zip(sizes.items(), _COLOURS, strict=False):
        panel.plot(levels, values, color=as_rgb(colour), linewidth=1.2, label=name)
    panel.plot(levels, everything, "o-", color=as_rgb(BLUE), linewidth=2, markersize=4, label="all")
    panel.set_xlabel("IoU with the object", color=as_rgb(INK), fontsize=9)
    panel.set_xlim(levels[0] - 0.01, levels[-1] + 0.01)
    panel.set_ylim(0, 1.02)
    panel.legend(frameon=False, fontsize=8, loc="upper right", ncols=2)


def _by_count(panel: Axes, counts: npt.NDArray[np.int64], shares: DoubleArray) -> None:
    style(panel, "Recall by number of proposals", "recall at IoU 0.5")
    panel.plot(counts, shares, "o-", color=as_rgb(BLUE), linewidth=2, markersize=4)
    panel.annotate(
        f"{shares[-1]:.3f}",
        (counts[-1], shares[-1]),
        xytext=(0, -14),
        textcoords="offset points",
        ha="right",
        color=as_rgb(BLUE),
        fontsize=9,
    )
    panel.set_xscale("log")
    panel.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,.0f}"))
    panel.xaxis.set_minor_locator(NullLocator())
    panel.set_xlabel("proposals used, best first", color=as_rgb(INK), fontsize=9)
    panel.set_ylim(0, 1.02)


def _by_class(panel: Axes, classes: Mapping[str, tuple[float, float]]) -> None:
    style(panel, "Recall at IoU 0.5 and average best overlap", "")
    names = sorted(classes, key=lambda name: classes[name])
    recalls = [classes[name][0] for name in names]
    overlaps = [classes[name][1] for name in names]
    rows = np.arange(len(names))
    panel.barh(rows, recalls, height=0.62, color=as_rgb(BLUE), alpha=0.22, label="recall")
    panel.plot(overlaps, rows, "o", color=as_rgb(RED), markersize=5, label="best overlap")
    for row, share in enumerate(recalls):
        panel.text(0.01, row, f"{share:.2f}", va="center", fontsize=8, color=as_rgb(INK))
    panel.set_yticks(rows, names)
    panel.set_ylim(-0.6, len(names) - 0.4)
    panel.set_xlim(0, 1)
    panel.grid(visible=False, axis="y")
    panel.grid(axis="x", color=as_rgb(GREY), alpha=0.3, linewidth=0.6)
    panel.legend(frameon=False, fontsize=8, loc="upper right", ncols=2, bbox_to_anchor=(1, -0.04))
