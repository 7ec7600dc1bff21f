"""Drawings of the pages, as SVG, and the shades of the confusion matrix.

Colours are CSS variables of the page, so that one drawing serves light and dark.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from markupsafe import Markup, escape

Values = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Curve:
    """Precision (M,) against recall (M,) of one class, and where the working point is on it."""

    name: str
    ap: float
    precision: Values
    recall: Values
    working_index: int
    """Row of the last detection in use, or -1 where none is."""


@dataclass(frozen=True, slots=True)
class Histogram:
    """Right and wrong detections (B,) in bins of score between `edges` (B + 1,)."""

    edges: Sequence[float]
    right: Sequence[int]
    wrong: Sequence[int]
    working_score: float


@dataclass(frozen=True, slots=True)
class Cell:
    """One cell of the confusion matrix.

    Attributes:
        count: objects or detections.
        share: of the row, in 0..1, which is its shade.
        kind: "right", "wrong" or "missed".
        text: what it says, in words.
    """

    count: int
    share: float
    kind: str
    text: str


@dataclass(frozen=True, slots=True)
class Matrix:
    """The confusion matrix as it is shown: columns, and rows of (name, objects, cells)."""

    columns: Sequence[str]
    rows: Sequence[tuple[str, int, Sequence[Cell]]]
    left_out: int


def precision_recall(curve: Curve) -> Markup:
    """Draws one small precision-recall plot; hovering tells the precision at a recall."""
    width, height, left, top, bottom = 180, 124, 22, 6, 14
    plot_width, plot_height = width - left - 6, height - top - bottom

    def x(recall: float) -> float:
        return left + plot_width * recall

    def y(precision: float) -> float:
        return top + plot_height * (1 - precision)

    parts = [
        f'<line class="grid" x1="{left}" x2="{width - 6}" y1="{y(v):.1f}" y2="{y(v):.1f}"/>'
        for v in (0, 0.5, 1)
    ]
    parts += [
        f'<text x="{left - 5}" y="{y(1) + 3:.1f}" text-anchor="end">1</text>',
        f'<text x="{left - 5}" y="{y(0) + 3:.1f}" text-anchor="end">0</text>',
        f'<text x="{width - 6}" y="{height - 3}" text-anchor="end">1</text>',
    ]
    best = np.maximum.accumulate(curve.precision[::-1])[::-1]
    corners = _steps(curve.recall, best)
    if corners:
        line = " ".join(f"{x(r):.1f},{y(p):.1f}" for r, p in corners)
        end = x(corners[-1][0])
        parts.append(
            f'<polygon class="area" points="{x(0):.1f},{y(0):.1f} {line} {end:.1f},{y(0):.1f}"/>'
        )
        parts.append(f'<polyline class="line" points="{line}"/>')
    label = f"{curve.name}: AP {curve.ap:.3f}"
    if curve.working_index >= 0:
        at = curve.recall[curve.working_index], curve.precision[curve.working_index]
        parts.append(f'<circle class="dot" cx="{x(at[0]):.1f}" cy="{y(at[1]):.1f}" r="3.2"/>')
        label += f"; in use precision {at[1]:.2f} at recall {at[0]:.2f}"
    for step in range(10):
        level = (step + 0.5) / 10
        reached = int(np.searchsorted(curve.recall, level))
        tip = f"{best[reached]:.2f}" if reached < len(best) else "not reached"
        parts.append(
            f'<rect class="hover" x="{x(step / 10):.1f}" y="{top}" width="{plot_width / 10:.1f}" '
            f'height="{plot_height}"><title>{escape(curve.name)}: precision {tip} at recall '
            f"{level:.2f}</title></rect>"
        )
    return _svg(width, height, label, parts, "pr")


def score_histogram(histogram: Histogram) -> Markup:
    """Draws right detections upwards and wrong ones downwards, both on a logarithmic scale."""
    width, left, right, top = 480, 46, 8, 8
    up, down = (_decades(counts) for counts in (histogram.right, histogram.wrong))
    decade = 200 / (up + down)
    middle, bottom = top + decade * up, top + 200
    height = bottom + 24

    def length(count: float) -> float:
        # From 0 at the middle: a count of 1 must be seen.
        return decade * math.log10(1 + 9 * count / 10) if count < 10 else decade * math.log10(count)

    low, high = histogram.edges[0], histogram.edges[-1]

    def x(score: float) -> float:
        return left + (width - left - right) * (score - low) / ((high - low) or 1)

    parts = []
    for power in range(-up, down + 1):
        at = middle + decade * power
        tick = f"{10 ** abs(power):,}" if power else "0"
        parts.append(
            f'<line class="grid" x1="{left}" x2="{width - right}" y1="{at:.1f}" y2="{at:.1f}"/>'
        )
        parts.append(f'<text x="{left - 6}" y="{at + 3.5:.1f}" text-anchor="end">{tick}</text>')
    for i, (good, bad) in enumerate(zip(histogram.right, histogram.wrong, strict=True)):
        start, end = x(histogram.edges[i]), x(histogram.edges[i + 1])
        tip = (
            f"score {histogram.edges[i]:.2f} to {histogram.edges[i + 1]:.2f}: "
            f"{good:,} right, {bad:,} wrong"
        )
        wide = max(end - start - 2, 1)
        parts.append(
            f"<g><title>{tip}</title>"
            f'<rect class="hover" x="{start:.1f}" y="{top}" width="{end - start:.1f}" '
            f'height="{bottom - top}"/>'
            f'<rect class="good" x="{start + 1:.1f}" y="{middle - length(good):.1f}" '
            f'width="{wide:.1f}" height="{length(good):.1f}"/>'
            f'<rect class="bad" x="{start + 1:.1f}" y="{middle:.1f}" width="{wide:.1f}" '
            f'height="{length(bad):.1f}"/></g>'
        )
    parts.append(
        f'<line class="axis" x1="{left}" x2="{width - right}" y1="{middle}" y2="{middle}"/>'
    )
    for step in range(6):
        score = low + (high - low) * step / 5
        anchor = "start" if step == 0 else "end" if step == 5 else "middle"
        parts.append(
            f'<text x="{x(score):.1f}" y="{bottom + 17}" text-anchor="{anchor}">{score:.1f}</text>'
        )
    at = x(histogram.working_score)
    side, gap = ("end", -6) if at > width / 2 else ("start", 6)
    parts.append(
        f'<line class="work" x1="{at:.1f}" x2="{at:.1f}" y1="{top}" '
        f'y2="{bottom}"/><text class="strong" x="{at + gap:.1f}" y="{top + 8}" '
        f'text-anchor="{side}">in use from {histogram.working_score:.2f}</text>'
    )
    label = f"{sum(histogram.right):,} right and {sum(histogram.wrong):,} wrong detections by score"
    return _svg(width, height, label, parts, "scores")


def interval_strip(value: float, low: float | None, high: float | None) -> Markup:
    """Draws a value in 0..1 and its interval on a scale."""
    width, height, left, right = 320, 40, 6, 6

    def x(share: float) -> float:
        return left + (width - left - right) * share

    parts = [f'<line class="axis" x1="{x(0)}" x2="{x(1)}" y1="14" y2="14"/>']
    for share in (0, 0.25, 0.5, 0.75, 1):
        anchor = "start" if share == 0 else "end" if share == 1 else "middle"
        parts.append(f'<line class="axis" x1="{x(share)}" x2="{x(share)}" y1="11" y2="17"/>')
        parts.append(f'<text x="{x(share)}" y="34" text-anchor="{anchor}">{share:g}</text>')
    label = f"{value:.3f}"
    if low is not None and high is not None:
        parts.append(
            f'<line class="interval" x1="{x(low):.1f}" x2="{x(high):.1f}" y1="14" y2="14"/>'
        )
        label += f", 95 % interval {low:.3f} to {high:.3f}"
    parts.append(f'<circle class="dot" cx="{x(value):.1f}" cy="14" r="5"/>')
    return _svg(width, height, label, parts, "strip")


def difference_strip(
    value: float | None, low: float | None, high: float | None, reach: float
) -> Markup:
    """Draws a difference and its interval about zero on a scale of -reach to reach."""
    width, height = 180, 20

    def x(difference: float) -> float:
        return width / 2 + (width / 2 - 6) * max(-1.0, min(1.0, difference / reach))

    parts = [f'<line class="zero" x1="{x(0)}" x2="{x(0)}" y1="0" y2="{height}"/>']
    label = "not known"
    if value is not None:
        kind = "even"
        label = f"{value:+.3f}"
        if low is not None and high is not None:
            kind = "better" if low > 0 else "worse" if high < 0 else "even"
            label += f", 95 % interval {low:+.3f} to {high:+.3f}"
            parts.append(
                f'<line class="interval {kind}" x1="{x(low):.1f}" x2="{x(high):.1f}" '
                f'y1="10" y2="10"/>'
            )
        parts.append(f'<circle class="dot {kind}" cx="{x(value):.1f}" cy="10" r="4.5"/>')
    return _svg(width, height, label, parts, "difference")


def confusion_cells(names: Sequence[str], counts: Sequence[Sequence[int]], most: int) -> Matrix:
    """Returns the matrix as it is shown, "nothing" last, of many classes the most confused.

    Args:
        names: (K + 1,), of row 0 and column 0 first.
        counts: (K + 1, K + 1).
        most: classes that are shown.
    """
    table = np.array(counts)
    classes = np.arange(1, len(table))
    if len(classes) > most:
        confused = table[1:, 1:].sum(1) + table[1:, 1:].sum(0) - 2 * np.diag(table)[1:]
        classes = np.sort(classes[np.argsort(-confused, kind="stable")[:most]])
    shown = [*classes.tolist(), 0]
    rows = []
    for i in shown:
        total = int(table[i].sum())
        cells = [_cell(names, int(table[i, j]), i, j, total) for j in shown]
        rows.append((names[i] if i else "no object", total, cells))
    columns = [names[j] if j else "missed" for j in shown]
    return Matrix(columns, rows, len(table) - 1 - len(classes))


def worst_confusions(
    names: Sequence[str], counts: Sequence[Sequence[int]], most: int = 8
) -> list[tuple[str, str, int]]:
    """Returns the most frequent (true class, taken for, count), at most `most`."""
    table = np.array(counts)
    table[0], table[:, 0] = 0, 0
    np.fill_diagonal(table, 0)
    order = np.argsort(-table, axis=None, kind="stable")[:most]
    pairs = [divmod(int(each), len(table)) for each in order]
    return [(names[i], names[j], int(table[i, j])) for i, j in pairs if table[i, j]]


def _cell(names: Sequence[str], count: int, i: int, j: int, total: int) -> Cell:
    share = count / total if total else 0.0
    if i == j:
        kind, text = "right", f"{names[i]}: {count} found" if i else ""
    elif j == 0:
        kind, text = "missed", f"{names[i]}: {count} missed"
    elif i == 0:
        kind, text = "wrong", f"{count} false {names[j]}"
    else:
        kind, text = "wrong", f"{names[i]} taken for {names[j]}: {count}"
    return Cell(count, share, kind, text)


def _decades(counts: Sequence[int]) -> int:
    """Returns how many powers of ten the largest of `counts` needs, at least one."""
    return max(1, math.ceil(math.log10(max(1, *counts))))


def _steps(recall: Values, precision: Values) -> list[tuple[float, float]]:
    """Returns the corners of a falling step curve, from recall 0, without what cannot be seen."""
    corners: list[tuple[float, float]] = []
    for r, p in zip(recall.tolist(), precision.tolist(), strict=True):
        if not r:
            continue
        if corners and p == corners[-1][1]:
            corners[-1] = (r, p)
        else:
            corners += [(corners[-1][0] if corners else 0.0, p), (r, p)]
    rounded = [(round(r, 3), round(p, 3)) for r, p in corners]
    return list(dict.fromkeys(rounded))


def _svg(width: int, height: int, label: str, parts: Sequence[str], kind: str) -> Markup:
    return Markup(
        f'<svg class="{kind}" viewBox="0 0 {width} {height}" role="img" '
        f'aria-label="{escape(label)}">{"".join(parts)}</svg>'
    )
