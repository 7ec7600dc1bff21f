"""SVG drawings of a report page, by matplotlib.

The page's style sheet colours them, so that one drawing serves light and dark: an artist's `gid` is
its CSS class, and what follows a "|" in it is its tooltip.
"""

from __future__ import annotations

import io
import re
from collections.abc import Sequence

import matplotlib as mpl
import numpy as np
import numpy.typing as npt
from markupsafe import Markup, escape
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Ellipse

from frcnn_cli.config import VocMetric
from frcnn_cli.evaluation.analysis.calibration import ReliabilityBin
from frcnn_cli.evaluation.metrics.voc import ClassResult
from frcnn_cli.records import DoubleArray

_HOVER_STEPS = 10
_TO_MARKUP = (
    (r"^.*?<svg[^>]*>|</svg>\s*$", ""),
    (r"<metadata>.*?</metadata>|<defs>.*?</defs>", ""),
    (r' style="[^"]*text-anchor: (\w+)[^"]*"', r' text-anchor="\1"'),
    (r' (style|clip-path)="[^"]*"', ""),
    (r'<g id="(hover|line|area|dot|grid|axis|good|bad|work|strong)">', r'<g class="\1">'),
    (r"<g id=([\"'])hover\|(.*?)\1>", r'<g class="hover"><title>\2</title>'),
    (r'<g id="[^"]*">', "<g>"),
    (r"<!--.*?-->|\n\s*", " "),
)
"""What turns matplotlib's file into a drawing without ids and colours, for the inside of a page."""


def precision_recall(result: ClassResult, metric: VocMetric, score: float) -> Markup:
    """Draws one small precision-recall plot; hovering shows the precision at a recall.

    Args:
        result: a class with objects.
        metric: the rule of the AP in the label.
        score: of the operating point, which is a dot on the curve.
    """
    width, height = 148, 104
    figure, axes = _axes((180, 124), (26, 14, width, height))
    axes.set(xlim=(0, 1), ylim=(0, 1), xticks=[1], yticks=[0, 0.5, 1], yticklabels=["0", "", "1"])
    axes.set_xticklabels(["1"], ha="right")
    axes.tick_params(axis="x", pad=0)
    best = np.maximum.accumulate(result.precision[::-1])[::-1]
    ends = np.flatnonzero(np.diff(best, append=-1))
    if len(ends):
        x = np.append(0, np.repeat(result.recall[ends], 2))[:-1]
        y = np.repeat(best[ends], 2)
        axes.fill([0, *x, x[-1]], [0, *y, 0], gid="area")
        axes.plot(x, y, gid="line")
    label = f"{result.name}: AP {result.ap(metric) or 0:.3f}"
    last = int((result.scores >= score).sum()) - 1
    if last >= 0:
        at = float(result.recall[last]), float(result.precision[last])
        axes.add_patch(Ellipse(at, 6.4 / width, 6.4 / height, gid="dot", zorder=3))
        label += f"; at the operating point precision {at[1]:.2f} at recall {at[0]:.2f}"
    for step in range(_HOVER_STEPS):
        level = (step + 0.5) / _HOVER_STEPS
        reached = int(np.searchsorted(result.recall, level))
        tip = f"{best[reached]:.2f}" if reached < len(best) else "not reached"
        tip = f"{result.name}: precision {tip} at recall {level:.2f}"
        axes.axvspan(step / _HOVER_STEPS, (step + 1) / _HOVER_STEPS, gid=f"hover|{tip}", zorder=4)
    return _svg(figure, label, "pr")


def score_histogram(
    edges: DoubleArray, right: Sequence[int], wrong: Sequence[int], score: float
) -> Markup:
    """Draws right detections upwards and wrong ones downwards, both on a logarithmic scale.

    Args:
        edges: (B + 1,) of the bins of score.
        right: (B,) true positives.
        wrong: (B,) false positives.
        score: of the operating point.
    """
    figure, axes = _axes((480, 232), (46, 24, 426, 200))
    up, down = (int(np.ceil(_decades(max(10, *counts)))) for counts in (right, wrong))
    powers = range(-down, up + 1)
    axes.set(xlim=(edges[0], edges[-1]), ylim=(-down, up))
    axes.set_yticks(powers, [f"{10 ** abs(power):,}" if power else "0" for power in powers])
    marks = np.linspace(edges[0], edges[-1], 6)
    axes.set_xticks(marks, [f"{mark:.1f}" for mark in marks])
    for counts, sign, name in ((right, 1, "good"), (wrong, -1, "bad")):
        heights = sign * _decades(np.array(counts))
        gap = 0.05 * np.diff(edges)
        for bar in axes.bar(edges[:-1] + gap, heights, np.diff(edges) - 2 * gap, align="edge"):
            bar.set_gid(name)
    axes.axhline(0, gid="axis")
    axes.axvline(score, gid="work")
    is_right = score > (edges[0] + edges[-1]) / 2
    axes.annotate(
        f"in use from {score:.2f}",
        (score, up),
        xytext=(-6 if is_right else 6, -8),
        textcoords="offset points",
        ha="right" if is_right else "left",
        gid="strong",
    )
    for low, high, good, bad in zip(edges, edges[1:], right, wrong, strict=False):
        tip = f"score {low:.2f} to {high:.2f}: {good:,} right, {bad:,} wrong"
        axes.axvspan(low, high, gid=f"hover|{tip}", zorder=4)
    return _svg(figure, f"{sum(right):,} right and {sum(wrong):,} wrong detections", "scores")


def reliability_curve(bins: Sequence[ReliabilityBin]) -> Markup:
    """Draws the share that is right over the score; scores that are probabilities lie on the line.

    Args:
        bins: by increasing score.
    """
    width, height = 426, 200
    figure, axes = _axes((480, 232), (46, 24, width, height))
    marks = np.linspace(0, 1, 6)
    axes.set(xlim=(0, 1), ylim=(0, 1))
    axes.set_xticks(marks, [f"{mark:.1f}" for mark in marks])
    axes.set_yticks(marks, [f"{mark:.1f}" for mark in marks])
    axes.plot([0, 1], [0, 1], gid="axis")
    axes.plot([each.score for each in bins], [each.right for each in bins], gid="line")
    for each in bins:
        at = each.score, each.right
        axes.add_patch(Ellipse(at, 8 / width, 8 / height, gid="dot", zorder=3))
        tip = f"score {each.score:.2f}: {each.right:.0%} of {each.detections:,} are right"
        axes.axvspan(each.low, each.high, gid=f"hover|{tip}", zorder=4)
    label = "; ".join(f"{each.right:.2f} right at score {each.score:.2f}" for each in bins)
    return _svg(figure, label, "scores")


def _decades(counts: npt.ArrayLike) -> DoubleArray:
    """Returns log10 of counts from 10 on, and from 0 for 0 below: a count of 1 must be seen."""
    values = np.asarray(counts, np.float64)
    return np.log10(np.where(values < 10, 1 + 0.9 * values, values))


def _axes(size: tuple[int, int], place: tuple[int, int, int, int]) -> tuple[Figure, Axes]:
    """Returns a figure of `size` pixels and axes at `place` (left, bottom, width, height)."""
    figure = Figure(figsize=(size[0] / 72, size[1] / 72), dpi=72)
    figure.patch.set_visible(False)
    axes = figure.add_axes(tuple(np.array(place) / (*size, *size)), frameon=False)
    axes.tick_params(left=False, bottom=False, pad=5, labelsize=11)
    axes.grid(axis="y", gid="grid")
    axes.set_axisbelow(True)
    return figure, axes


def _svg(figure: Figure, label: str, kind: str) -> Markup:
    file = io.StringIO()
    with mpl.rc_context({"svg.fonttype": "none"}):
        figure.savefig(file, format="svg", dpi=72)
    parts = file.getvalue()
    for pattern, replacement in _TO_MARKUP:
        parts = re.sub(pattern, replacement, parts, flags=re.DOTALL)
    width, height = figure.get_size_inches() * 72
    return Markup(
        f'<svg class="{kind}" viewBox="0 0 {width:.0f} {height:.0f}" role="img" '
        f'aria-label="{escape(label)}">{parts}</svg>'
    )
