"""`frcnn doctor`: checks of the installation, with remedies."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

import typer
from rich.console import Group, RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from frcnn_cli.cli import options
from frcnn_cli.cli.terminal import FAILED
from frcnn_cli.cli.text import count, headline

if TYPE_CHECKING:
    from frcnn_cli.cli.doctor.checks import Check, State

EXAMPLES = """[bold]Examples[/]

[cyan]frcnn doctor[/]  [dim]each check with ✓, ! (works, not optimally) or ✗ (broken)[/]

[cyan]frcnn doctor --json | jq '.checks[] | select(.state != "ok")'[/]  [dim]for scripts[/]
"""


@options.command(without=("config",))
def doctor(context: options.CommandContext) -> None:
    """Check packages, devices, cache and disk; print problems with their remedy.

    The exit code is 1 if something is broken.
    """
    from frcnn_cli.cli.doctor.checks import run_checks

    with context.terminal.progress("parts") as report:
        checks = run_checks(context.cache_dir, report)
    states = Counter(check.state for check in checks)
    data = {
        "schema": "frcnn.doctor/1",
        "broken": states["broken"],
        "warnings": states["warning"],
        "checks": [vars(check) for check in checks],
    }
    context.terminal.result(data, _report(checks, states), is_table=True)
    if states["broken"]:
        raise typer.Exit(FAILED)


def _report(checks: list[Check], states: Counter[State]) -> RenderableType:
    marks: dict[State, tuple[str, str]] = {
        "ok": ("✓", "bold green"),
        "warning": ("!", "bold magenta"),
        "broken": ("✗", "bold red"),
    }
    grid = Table.grid(padding=(0, 2))
    grid.add_column(no_wrap=True)
    grid.add_column(no_wrap=True)
    grid.add_column(overflow="fold")
    for check in checks:
        mark, style = marks[check.state]
        found = Text(check.found)
        if check.remedy and check.state != "ok":
            found.append(f"\n→ {check.remedy}", "cyan")
        grid.add_row(Text(mark, style), Text(check.name, "dim"), found)
    counts = [
        count(states["broken"], "thing") + " broken" if states["broken"] else "",
        count(states["warning"], "warning") if states["warning"] else "",
    ]
    line = ", ".join(filter(None, counts)) or "Everything works"
    return Group(
        Padding(grid, (0, 0, 1, 0), expand=False), headline(line, complete=not any(counts))
    )
