"""Pictures of the paper's claims and of Figure 3."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from matplotlib.figure import Figure

from frcnn_cli.plotting.curves import DOTS_PER_INCH, as_rgb, style
from frcnn_cli.plotting.palette import BLUE, VIOLET


def draw_claims(path: Path, claims: Sequence[dict[str, Any]]) -> None:
    """Draws the difference of each claim with its interval beside the paper's.

    Args:
        path: the PNG to write.
        claims: of `tables.json`.
    """
    figure = Figure(figsize=(8, 1 + 0.42 * len(claims)), layout="constrained")
    panel = figure.subplots()
    style(panel, "Difference in mAP, points", "")
    for row, each in enumerate(claims):
        low, high = each["interval"] or (each["difference"],) * 2
        panel.plot([100 * low, 100 * high], [row, row], color=as_rgb(BLUE), linewidth=2)
    rows = range(len(claims))
    ours = [100 * each["difference"] for each in claims]
    paper = [each["paper"][1] - each["paper"][0] for each in claims]
    panel.plot(ours, rows, "o", color=as_rgb(BLUE), label="here, 95 % interval")
    panel.plot(paper, rows, "D", color=as_rgb(VIOLET), label="paper, VOC 2007 test")
    panel.axvline(0, color="black", linewidth=0.8)
    names = [f"{each['text']}\n{each['a']} → {each['b']} ({each['source']})" for each in claims]
    panel.set_yticks(rows, names, fontsize=8)
    panel.invert_yaxis()
    figure.legend(frameon=False, loc="outside lower center", ncols=2, fontsize=9)
    figure.savefig(path, dpi=DOTS_PER_INCH)


def draw_figure3(
    path: Path, counts: Sequence[int], recalls: Sequence[float], maps: Sequence[float]
) -> None:
    """Draws recall at IoU 0.5 and mAP by the number of proposals per image.

    Args:
        path: the PNG to write.
        counts: numbers of proposals.
        recalls: of each, in 0..1.
        maps: of each, in 0..1.
    """
    figure = Figure(figsize=(6, 3.6), layout="constrained")
    panel = figure.subplots()
    style(panel, "Figure 3: more proposals", "")
    panel.semilogx(counts, recalls, "o-", color=as_rgb(BLUE), label="recall at IoU 0.5")
    panel.semilogx(counts, maps, "o-", color=as_rgb(VIOLET), label="mAP")
    panel.set_xticks(counts, [f"{count:,}" for count in counts])
    panel.set_ylim(0, 1)
    panel.set_xlabel("proposals per image")
    panel.legend(frameon=False)
    figure.savefig(path, dpi=DOTS_PER_INCH)
