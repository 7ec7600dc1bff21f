"""The table that `frcnn bench` prints."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from rich.console import Group, RenderableType
from rich.padding import Padding
from rich.table import Table

from frcnn_cli.cli.text import count, grid, table
from frcnn_cli.deploy.benchmark import Bench

_WORDS = {"postprocess": "post-processing"}


def bench_table(result: Bench, data: Mapping[str, Any]) -> RenderableType:
    """Returns a column for each variant and a row for each figure, times in milliseconds."""
    rows = (result.rcnn, result.plain, *result.ours)
    styles = {result.rcnn.name: "dim", rows[-1].name: "bold cyan"}
    shown = table(dict.fromkeys(("ms", *(row.name for row in rows)), ""), styles=styles)
    plain, rcnn = result.plain, result.rcnn
    figures = (
        {
            _WORDS.get(stage, stage): [_milliseconds(row.seconds[stage]) for row in rows]
            for stage in plain.seconds
        },
        {
            "network": [_milliseconds(row.network) for row in rows],
            "whole": [_milliseconds(row.whole) for row in rows],
        },
        {
            "× plain network": [_times(plain.network / row.network) for row in rows],
            "× plain whole": [_times(plain.whole / row.whole) for row in rows],
            "× R-CNN network": [_times(rcnn.network / row.network) for row in rows],
            "× floor": [_times(row.network / row.floor) for row in rows],
        },
        {
            "peak memory MB": [_megabytes(row.memory) for row in rows],
            "Δ score": [_difference(row.scores) for row in rows],
            "Δ box pixels": [_difference(row.pixels) for row in rows],
        },
    )
    for part in figures:
        for name, cells in part.items():
            shown.add_row(name, *cells)
        shown.add_section()
    return Group(shown, Padding(_legend(result, data), (0, 0, 0, 1), expand=False))


def _legend(result: Bench, data: Mapping[str, Any]) -> Table:
    width, height = result.sizes[0]
    images = (
        f"1 image of {width}×{height}"
        if len(result.sizes) == 1
        else f"{count(len(result.sizes), 'image')}, the first {width}×{height}"
    )
    peaks = ", ".join(
        f"{peak:,.0f} GFLOP/s in {kind}" for kind, peak in data["peak_gflops"].items()
    )
    weights = data["weights"]
    ranks = result.ranks
    described = {row.name for row in result.ours}
    words = {
        "": f"{data['backbone']}, {'random weights' if weights == 'random' else weights}; "
        f"{images}, {result.regions:,.0f} RoIs; {data['device']}",
        "R-CNN": f"{result.rcnn_regions} RoIs measured, scaled to all; searches with OpenCV",
        "plain": "torchvision's RoI pooling, float32; searches with OpenCV",
        "tables": "bins from range-maximum tables, all in channels-last order, float32",
        "+ dedup": "RoIs that cover the same cells of the feature map computed once",
        "+ fused": "convolution and activation in one pass, weights in the CPU's layout",
        f"+ {data['precision']}": "16-bit numbers; the default of frcnn detect",
        "+ SVD": f"fc6 and fc7 cut to ranks {ranks[0]} and {ranks[1]}, here with random weights",
        "network": "trunk, pooling, head and post-processing",
        "× floor": f"over the time of its operations at the matrix product's peak: {peaks}",
        "Δ": "largest difference from plain; of boxes, for classes above the threshold",
    }
    shown = {
        word: meaning
        for word, meaning in words.items()
        if not word.startswith("+") or word in described
    }
    return grid(shown, "cyan", "dim")


def _milliseconds(seconds: float) -> str:
    value = 1000 * seconds
    if seconds >= 100:
        return f"{seconds:,.0f} s"
    return f"{value:,.0f}" if value >= 99.5 else f"{value:.1f}"


def _megabytes(number: int | None) -> str:
    return "–" if number is None else f"{number / 1e6:,.0f}"


def _times(ratio: float) -> str:
    return f"{ratio:,.0f}" if ratio >= 99.5 else f"{ratio:.2f}"


def _difference(value: float | None) -> str:
    if value is None:
        return "–"
    return "0" if value == 0 else f"{value:.1g}" if value < 0.1 else f"{value:.2f}"
