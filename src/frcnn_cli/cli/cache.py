"""`frcnn cache`: list, check and clean up the cache."""

from __future__ import annotations

import time
from collections import defaultdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Group, RenderableType
from rich.text import Text

from frcnn_cli.cli import options
from frcnn_cli.cli.help import Command, Commands
from frcnn_cli.cli.options import option, switch
from frcnn_cli.cli.text import ago, count, facts, headline, size, table

if TYPE_CHECKING:
    from frcnn_cli.cache.inventory import Contents

app = typer.Typer(cls=Commands, no_args_is_help=True, rich_markup_mode="rich")

LS_EXAMPLES = "[bold]Example[/]\n\n[cyan]frcnn cache ls[/]\n"
VERIFY_EXAMPLES = """[bold]Examples[/]

[cyan]frcnn cache verify[/]  [dim]reads every file; exit code 3 if one is damaged[/]

[cyan]frcnn cache verify --repair[/]  [dim]removes damaged entries[/]
"""
GC_EXAMPLES = """[bold]Examples[/]

[cyan]frcnn cache gc --dry-run[/]  [dim]what would be removed, and why[/]

[cyan]frcnn cache gc --unused-for 7 --run efficientnet_lite0-1[/]  [dim]and one run with its \
checkpoints[/]
"""


@app.command("ls", cls=Command, epilog=LS_EXAMPLES)
@options.command(without=("config",))
def ls(context: options.CommandContext) -> None:
    """List entries by kind, and runs with their mAP, size and last use."""
    from frcnn_cli.cache.inventory import list_contents

    folder, contents = context.cache_dir, list_contents(context.cache)
    shown = _shown(contents, folder)
    context.terminal.result(_contents_as_data(contents, folder), shown, is_table=True)


@app.command("verify", cls=Command, epilog=VERIFY_EXAMPLES)
@options.command(without=("config",))
def verify(
    context: options.CommandContext,
    *,
    repair: Annotated[bool, switch("--repair")] = False,
) -> None:
    """Check the checksum, format and version of every file; list damaged files.

    Args:
        repair: Remove damaged entries and rename damaged checkpoints to .damaged.
    """
    from frcnn_cli.cache.verify import verify_all

    with context.terminal.progress("files") as report:
        found = verify_all(context.cache, repair_damaged=repair, progress=report)
    wrong = found.unrepaired
    data = {
        "schema": "frcnn.cache-verify/1",
        "cache": str(context.cache_dir),
        "whole": found.whole,
        "damaged": [_named(each.path, each.problem) for each in found.damaged],
        "later": [_named(each.path, each.problem) for each in found.later],
        "mended": [str(each.path) for each in found.repaired],
    }
    rows = {
        "repaired": "\n".join(
            f"{each.path} {'removed' if each.reproducible else 'set aside'}"
            for each in found.repaired
        ),
        "damaged": f"{len(wrong):,}, listed below" if wrong else "",
    }
    context.terminal.result(
        data, facts(f"{count(found.whole, 'file')} whole", rows, complete=not wrong)
    )
    context.terminal.finish(wrong, succeeded=found.whole)


@app.command("gc", cls=Command, epilog=GC_EXAMPLES)
@options.command(without=("config",), cleans_cache=True)
def gc(
    context: options.CommandContext,
    *,
    unused_for: Annotated[float, option("DAYS", min=0)] = 90.0,
    run: Annotated[list[str] | None, option("NAME")] = None,
    dry_run: Annotated[bool, switch("--dry-run")] = False,
) -> None:
    """Remove temporary and unused entries; runs only if named.

    Args:
        unused_for: Remove entries not used for this long; 0: none.
        run: Remove this run and its checkpoints; may be repeated.
        dry_run: List what would be removed, remove nothing.
    """
    from frcnn_cli.cache.gc import GarbageRules, collect_garbage
    from frcnn_cli.proposals.search import libraries

    with context.terminal.progress("files") as report:
        rules = GarbageRules(unused_for, libraries(), run or ())
        items = collect_garbage(context.cache, rules, dry_run=dry_run, progress=report)
    freed = sum(item.bytes for item in items)
    by_reason: dict[str, list[int]] = defaultdict(list)
    for item in items:
        by_reason[item.reason].append(item.bytes)
    data = {
        "schema": "frcnn.cache-gc/1",
        "cache": str(context.cache_dir),
        "dry_run": dry_run,
        "bytes": freed,
        "removed": [_named(item.path, item.reason, "reason") for item in items],
    }
    verb = "would be freed" if dry_run else "freed"
    rows = {
        reason: f"{count(len(sizes), 'item')}, {size(sum(sizes))}"
        for reason, sizes in by_reason.items()
    }
    context.terminal.result(data, facts(f"{size(freed)} {verb}", rows))


def _named(path: Path, text: str, key: str = "problem") -> dict[str, str]:
    return {"file": str(path), key: text}


def _contents_as_data(contents: Contents, folder: Path) -> dict[str, Any]:
    return {
        "schema": "frcnn.cache/1",
        "cache": str(folder),
        "bytes": contents.bytes,
        "kinds": [vars(each) for each in contents.groups],
        "runs": [
            {
                "name": run.folder.name,
                "steps": run.steps,
                "map_val": run.best_map,
                "bytes": run.bytes,
                "used": run.used,
            }
            for run in contents.runs
        ],
        "temporary": vars(contents.temporary) if contents.temporary else None,
    }


def _shown(contents: Contents, folder: Path) -> RenderableType:
    now = time.time()
    parts: list[RenderableType] = []
    if contents.all_groups:
        kept = table(dict.fromkeys(("kept", "entries", "size", "last used"), ""))
        kept.add_column("made by", style="dim")
        for each in contents.all_groups:
            row = (f"{each.entries:,}", size(each.bytes), ago(now - each.used))
            kept.add_row(Text(each.kind), *row, Text(each.made_by))
        parts.append(kept)
    if contents.runs:
        runs = table(dict.fromkeys(("run", "steps", "mAP on val", "size", "last written"), ""))
        for run in contents.runs:
            best = "–" if run.best_map is None else f"{run.best_map:.3f}"
            written = ago(now - run.used) if run.bytes else "–"
            runs.add_row(Text(run.folder.name), f"{run.steps:,}", best, size(run.bytes), written)
        parts.append(runs)
    if not parts:
        return headline(f"{folder} is empty")
    return Group(*parts, headline(f"{size(contents.bytes)} in {folder}"))
