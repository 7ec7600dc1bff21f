"""Plots: how a training run went, and precision against recall."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from frcnn_cli.plotting.palette import BLUE, GREY, INK, RED, VIOLET, Colour
from frcnn_cli.records import DoubleArray

Row = Mapping[str, float | int | None]

LOSSES = (("loss", "total", INK), ("classification", "classes", BLUE), ("box", "boxes", RED))
DOTS_PER_INCH = 144


def plot_training(rows: Sequence[Row], path: Path, *, title: str = "Training") -> None:
    """Draws the losses of a run, its learning rate, and its mAP where it was measured, into a PNG.

    Args:
        rows: one per logged step, in order: "step", and where known "loss", "classification",
            "box", "lr" and "map" (a fraction); a value that is absent or None is not drawn.
        path: the file; it is written over.
        title: the headline.
    """
    heights = {"loss": 4.2}
    heights |= {key: height for key, height in (("lr", 1.4), ("map", 2.2)) if _is_known(rows, key)}
    figure = Figure(figsize=(8, sum(heights.values())), layout="constrained")
    made = figure.subplots(
        len(heights), 1, sharex=True, squeeze=False, height_ratios=list(heights.values())
    )
    panels = dict(zip(heights, made[:, 0], strict=True))
    _draw_losses(panels["loss"], rows, title)
    if "lr" in panels:
        _draw_rate(panels["lr"], rows)
    if "map" in panels:
        _draw_map(panels["map"], rows)
    made[-1, 0].set_xlabel("iteration", color=as_rgb(INK))
    figure.savefig(path, dpi=DOTS_PER_INCH, format="png")


def _is_known(rows: Sequence[Row], key: str) -> bool:
    return any(row.get(key) is not None for row in rows)


def _draw_losses(panel: Axes, rows: Sequence[Row], title: str) -> None:
    style(panel, title, "loss")
    for key, name, colour in LOSSES:
        _smoothed_line(panel, *_series(rows, key), name=name, colour=colour)
    panel.set_ylim(bottom=0)
    if panel.lines:
        panel.legend(frameon=False, loc="upper right", ncols=len(LOSSES))


def _draw_rate(panel: Axes, rows: Sequence[Row]) -> None:
    style(panel, "", "learning rate")
    panel.plot(*_series(rows, "lr"), color=as_rgb(INK), linewidth=1.4)
    panel.set_ylim(bottom=0)
    panel.ticklabel_format(axis="y", style="sci", scilimits=(-2, 2))


def _draw_map(panel: Axes, rows: Sequence[Row]) -> None:
    style(panel, "", "mAP")
    steps, values = _series(rows, "map")
    panel.plot(steps, values, "o-", color=as_rgb(VIOLET), markersize=4, linewidth=1.8)
    _mark_best(panel, steps, values)
    panel.set_ylim(0, 1)


def plot_precision_recall(
    curves: Mapping[str, tuple[DoubleArray, DoubleArray]],
    path: Path,
    *,
    ap: Mapping[str, float | None],
    title: str = "Precision and recall",
) -> None:
    """Draws one small precision-recall plot per class, the best class first, into a PNG.

    Args:
        curves: precision (M,) and recall (M,) by class name.
        path: the file; it is written over.
        ap: average precision in 0..1 by class name; a class without one is not drawn.
        title: the headline.
    """
    known = {name: value for name in curves if (value := ap.get(name)) is not None}
    names = sorted(known, key=lambda name: -known[name])
    columns = min(5, max(1, len(names)))
    lines = max(1, -(-len(names) // columns))
    figure = Figure(figsize=(2.1 * columns + 0.6, 2.1 * lines + 0.8), layout="constrained")
    figure.suptitle(title, color=as_rgb(INK), fontweight="bold", x=0.01, ha="left")
    panels = figure.subplots(lines, columns, sharex=True, sharey=True, squeeze=False)
    for panel in panels.flat[len(names) :]:
        panel.set_axis_off()
    for panel, name in zip(panels.flat, names, strict=False):
        precision, recall = _from_zero(*curves[name])
        style(panel, "", "")
        panel.set_title(f"{name}  {known[name]:.3f}", loc="left", fontsize=9, color=as_rgb(INK))
        panel.fill_between(recall, precision, step="pre", color=as_rgb(BLUE), alpha=0.12, lw=0)
        panel.step(recall, precision, where="pre", color=as_rgb(BLUE), linewidth=1.4)
        panel.set_xlim(0, 1)
        panel.set_ylim(0, 1.03)
    figure.supxlabel("recall", fontsize=9, color=as_rgb(INK))
    figure.supylabel("precision", fontsize=9, color=as_rgb(INK))
    figure.savefig(path, dpi=DOTS_PER_INCH, format="png")


def _from_zero(precision: DoubleArray, recall: DoubleArray) -> tuple[DoubleArray, DoubleArray]:
    """Returns the curve with its first precision drawn back to recall 0."""
    return np.append(precision[:1], precision), np.append(np.zeros(len(recall[:1])), recall)


def smooth(values: DoubleArray, span: float) -> DoubleArray:
    """Returns the exponential moving average of `values` (N,), over about `span` of them.

    It is corrected for its start, so that it begins at the first value.
    """
    keep = 1 - 1 / max(span, 1.0)
    weighted = total = 0.0
    smoothed = np.empty_like(values)
    for i, value in enumerate(values):
        weighted, total = keep * weighted + value, keep * total + 1
        smoothed[i] = weighted / total
    return smoothed


def _series(rows: Sequence[Row], key: str) -> tuple[DoubleArray, DoubleArray]:
    known = [(row["step"], row[key]) for row in rows if row.get(key) is not None]
    pairs = np.array(known, np.float64).reshape(-1, 2)
    return pairs[:, 0], pairs[:, 1]


def _smoothed_line(
    panel: Axes, steps: DoubleArray, values: DoubleArray, *, name: str, colour: Colour
) -> None:
    """Draws the values faintly and their moving average, over a thirtieth of them, on top."""
    if len(values):
        panel.plot(steps, values, color=as_rgb(colour), alpha=0.16, linewidth=0.8)
        average = smooth(values, len(values) / 30)
        panel.plot(steps, average, color=as_rgb(colour), linewidth=1.8, label=name)


def _mark_best(panel: Axes, steps: DoubleArray, values: DoubleArray) -> None:
    best = int(values.argmax())
    panel.annotate(
        f"best {values[best]:.3f} at {steps[best]:.0f}",
        (steps[best], values[best]),
        xytext=(0, 8),
        textcoords="offset points",
        ha="right" if steps[best] > steps.mean() else "left",
        color=as_rgb(VIOLET),
        fontsize=9,
    )


def style(panel: Axes, title: str, ylabel: str) -> None:
    """Gives a panel the house look: no box, faint lines across, the title at the left.

    Args:
        panel: the axes.
        title: of the panel.
        ylabel: of the vertical axis.
    """
    for side in ("top", "right"):
        panel.spines[side].set_visible(False)
    for side in ("left", "bottom"):
        panel.spines[side].set_color(as_rgb(GREY))
    panel.grid(axis="y", color=as_rgb(GREY), alpha=0.3, linewidth=0.6)
    panel.tick_params(colors=as_rgb(INK), labelsize=8, length=0)
    panel.set_ylabel(ylabel, color=as_rgb(INK))
    panel.set_title(title, loc="left", fontweight="bold", color=as_rgb(INK))


def as_rgb(colour: Colour) -> Any:
    """Returns a colour as matplotlib takes it."""
    return tuple(channel / 255 for channel in colour)
