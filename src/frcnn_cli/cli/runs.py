"""`frcnn runs`: the training runs of a cache, side by side."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.console import Group, RenderableType
from rich.text import Text

from frcnn_cli.cli import options
from frcnn_cli.cli.text import count, headline, table

if TYPE_CHECKING:
    from frcnn_cli.training.runs.listing import RunSummary

EXAMPLES = """[bold]Examples[/]

[cyan]frcnn runs[/]  [dim]which run is best, and what was different[/]

[cyan]frcnn eval --run vgg16-1[/]  [dim]scores one of them[/]
"""


@options.command(without=("config",))
def runs(context: options.CommandContext) -> None:
    """List training runs: data, recipe, steps, mAP, and the settings in which they differ."""
    from frcnn_cli.training.runs.listing import list_runs

    found, failures = list_runs(context.cache)
    data = {
        "schema": "frcnn.runs/1",
        "cache": str(context.cache_dir),
        "runs": [_as_data(run) for run in found],
        "failures": [str(failure) for failure in failures],
    }
    context.terminal.result(data, _shown(found, context.cache_dir), is_table=True)
    context.terminal.finish(failures, succeeded=len(found))


def _as_data(run: RunSummary) -> dict[str, Any]:
    return {"name": run.folder.name, **asdict(run), "folder": str(run.folder)}


def _shown(found: Sequence[RunSummary], folder: Path) -> RenderableType:
    if not found:
        return headline(f"{folder} has no runs")
    shown = table(dict.fromkeys(("run", "steps", "best mAP", "mAP at the end"), ""))
    shown.add_column("what was trained", style="dim", overflow="fold")
    for run in found:
        steps = f"{run.steps:,}"
        if run.state != "finished":
            steps += f" of {run.iterations:,}, {run.state}"
        best = "–" if run.map_val is None else f"{run.map_val:.3f}"
        final = "–" if run.map_final is None else f"{run.map_final:.3f} on {run.map_split}"
        settings = "".join(f", {name} {value}" for name, value in run.settings.items())
        what = f"{run.backbone}, recipe {run.recipe}{settings}; {run.split} of {run.data}"
        shown.add_row(Text(run.folder.name), steps, best, Text(final), Text(what))
    return Group(shown, headline(f"{count(len(found), 'run')} in {folder}"))
