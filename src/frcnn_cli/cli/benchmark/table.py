"""The table that `frcnn bench` prints."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from rich import box
from rich.console import Group, RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from frcnn_cli.cli.text import count

if TYPE_CHECKING:
    from frcnn_cli.deploy.benchmark import Bench
    from frcnn_cli.deploy.benchmark_runner import Row

_WORDS = {"postprocess": "post-processing"}


def bench_table(result: Bench, data: Mapping[str, Any]) -> RenderableType:
    """Returns a column for each variant and a row for each figure, times in milliseconds."""
    rows = (result.rcnn, result.plain, *result.ours)
    table = Table(
        box=box.SIMPLE_HEAD,
        padding=(0, 0, 0, 1),
    )
    table.add_column("ms", no_wrap=True)
    for row in rows:
        style = "bold cyan" if row is rows[-1] else "dim" if row is result.rcnn else ""
        table.add_column(row.name, justify="right", style=style, no_wrap=True)
    for stage in result.plain.seconds:
        cells = (_milliseconds(row.seconds[stage]) for row in rows)
        table.add_row(_WORDS.get(stage, stage), *cells)
    table.add_section()
    figures: Mapping[str, Callable[[Row], str]] = {
        "network": lambda row: _milliseconds(row.network),
        "whole": lambda row: _milliseconds(row.whole),
    }
    ratios: Mapping[str, Callable[[Row], str]] = {
        "× plain network": lambda row: _times(result.plain.network / row.network),
        "× plain whole": lambda row: _times(result.plain.whole / row.whole),
        "× R-CNN network": lambda row: _times(result.rcnn.network / row.network),
        "× floor": lambda row: _times(row.network / row.floor),
    }
    others: Mapping[str, Callable[[Row], str]] = {
        "peak memory MB": lambda row: "–" if row.memory is None else f"{row.memory / 1e6:,.0f}",
        "Δ score": lambda row: _difference(row.scores),
        "Δ box pixels": lambda row: _difference(row.pixels),
    }
    for part in (figures, ratios, others):
        for name, figure in part.items():
            table.add_row(name, *map(figure, rows))
        table.add_section()
    return Group(table, Padding(_legend(result, data), (0, 0, 0, 1)))


def _legend(result: Bench, data: Mapping[str, Any]) -> Table:
    width, height = result.sizes[0]
    photographs = (
        f"1 image of {width}×{height}"
        if len(result.sizes) == 1
        else f"{count(len(result.sizes), 'image')}, the first {width}×{height}"
    )
    peaks = ", ".join(
        f"{peak:,.0f} GFLOP/s in {kind}" for kind, peak in data["peak_gflops"].items()
    )
    weights = data["weights"]
    ranks = result.ranks
    words = {
        "of": f"{data['backbone']}, {'random weights' if weights == 'random' else weights}; "
        f"{photographs}, {result.regions:,.0f} RoIs; {data['device']}",
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
        "of",
        "network",
        "× floor",
        "Δ",
        "R-CNN",
        "plain",
        *(row.name for row in result.ours),
    }
    grid = Table.grid(padding=(0, 2))
    for word, meaning in words.items():
        if word in shown:
            grid.add_row(Text("" if word == "of" else word, "cyan"), Text(meaning, "dim"))
    return grid


def _milliseconds(seconds: float) -> str:
    value = 1000 * seconds
    if seconds >= 100:
        return f"{seconds:,.0f} s"
    return f"{value:,.0f}" if value >= 99.5 else f"{value:.1f}"


def _times(ratio: float) -> str:
    return f"{ratio:,.0f}" if ratio >= 99.5 else f"{ratio:.2f}"


def _difference(value: float | None) -> str:
    if value is None:
        return "–"
    return "0" if value == 0 else f"{value:.1g}" if value < 0.1 else f"{value:.2f}"
