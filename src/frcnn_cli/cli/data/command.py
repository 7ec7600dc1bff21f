"""`frcnn data`: summarises a data set, converts it, draws a sample, makes a split, ranks images."""

from __future__ import annotations

from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer
from rich.console import Group, RenderableType
from rich.text import Text

from frcnn_cli.cli import options
from frcnn_cli.cli.data.next import print_next
from frcnn_cli.cli.options import argument, option, switch
from frcnn_cli.cli.terminal import SOME_FAILED
from frcnn_cli.cli.text import MOST_ROWS, count, facts, table
from frcnn_cli.data.class_names import alike
from frcnn_cli.errors import ConfigError

if TYPE_CHECKING:
    from rich.table import Table

    from frcnn_cli.data.dataset import Dataset, Problem
    from frcnn_cli.data.inspect.convert import Conversion
    from frcnn_cli.data.inspect.summary import ClassCount, Summary

LISTED = 10
"""Problems that are printed; the others are counted."""

_SHADES = "░▒█"
"""Of small, medium and large objects: read without colours too."""
_BAR = 8

EXAMPLES = """[bold]Examples[/]

[cyan]frcnn data[/]  [dim]contents and problems of this folder[/]

[cyan]frcnn data photos/ --pictures sample/[/]  [dim]12 images with their boxes[/]

[cyan]frcnn data photos/ --to coco --out photos-coco/[/]  [dim]for another tool[/]

[cyan]frcnn data photos/ --next 50[/]  [dim]unlabelled images of which the detector is least sure[/]
"""


@options.command(
    needs={
        "link": ("to",),
        "sample": ("pictures",),
        "share": ("make_split",),
        "seed": ("pictures", "make_split"),
        **dict.fromkeys(("checkpoint", "run", "gpus"), ("following",)),
    },
    excludes={"following": ("to", "pictures", "make_split")},
)
def data(
    context: options.CommandContext,
    folder: Annotated[Path, argument("DATA")] = Path(),
    *,
    to: Annotated[Literal["voc", "coco", "yolo"] | None, option("FORMAT", "--to")] = None,
    out: Annotated[Path | None, option("DIR")] = None,
    link: Annotated[bool, switch("--link")] = False,
    pictures: Annotated[Path | None, option("DIR")] = None,
    sample: Annotated[int, option("N", min=1)] = 12,
    make_split: Annotated[str | None, option("NAME")] = None,
    share: Annotated[float, option("P", min=0.0, max=1.0)] = 0.2,
    seed: Annotated[int, option("N")] = 0,
    following: Annotated[int | None, option("N", "--next", min=1)] = None,
    checkpoint: options.Checkpoint = None,
    run: options.Run = None,
    gpus: options.Gpus = None,
) -> None:
    """Show what a data set holds; convert, draw or split it; choose what to annotate next.

    Args:
        folder: Folder of the data set.
        to: Convert to voc, coco or yolo, into --out.
        out: New folder for --to.
        link: Link the images instead of copying them.
        pictures: Draw a sample with its boxes.
        sample: Number of images for --pictures.
        make_split: Make a split, val or test, and store it in the cache.
        share: Fraction of the images for --make-split.
        seed: Seed of --pictures and --make-split.
        following: List the N unlabelled images of which the detector is least sure, to annotate
            next, and nothing else. The options below are for it.
    """
    from frcnn_cli.data import open as datasets
    from frcnn_cli.data.inspect.convert import convert
    from frcnn_cli.data.inspect.preview import draw_sample
    from frcnn_cli.data.inspect.summary import summarize, to_json

    _check(to, out)
    if following is not None:
        print_next(context, folder, following, checkpoint=checkpoint, run=run, gpus=gpus)
        return
    cache = context.cache
    found = datasets.open_dataset(folder, cache, warn=False)  # they are in the report
    if make_split is not None:
        found = datasets.make_split(found, make_split, share, seed, cache)
    with context.terminal.progress() as report:
        summary = summarize(found, report)
        conversion = None
        if to is not None and out is not None:
            conversion = convert(found, out, to, link=link, progress=report)
        drawn = None
        if pictures is not None:
            drawn, _ = draw_sample(found, pictures, sample, seed, report)
    result = to_json(found, summary)
    if conversion is not None:
        result["converted"] = _conversion_json(conversion)
    if drawn is not None:
        result["pictures"] = [str(path) for path in drawn]
    context.terminal.result(result, _report(found, summary, conversion, drawn), is_table=True)
    if summary.left_out:
        raise typer.Exit(SOME_FAILED)


def _check(to: str | None, out: Path | None) -> None:
    if to is not None and out is None:
        raise ConfigError("--to needs a folder", remedy=f"add --out DIR, as in --out data-{to}")
    if out is not None and to is None:
        raise ConfigError("--out needs a format", remedy="add --to voc, coco or yolo")


def _report(
    dataset: Dataset, summary: Summary, conversion: Conversion | None, drawn: list[Path] | None
) -> RenderableType:
    headline = ", ".join(
        (
            count(summary.images, "image"),
            count(summary.objects, "object"),
            count(len(summary.classes), "class"),
        )
    )
    where = Text.assemble((f"{dataset.format} ", "dim"), str(dataset.root), overflow="fold")
    parts: list[RenderableType] = [where, Text(), _splits(summary), _classes(summary)]
    if summary.problems or summary.overlaps or dataset.notes or alike(summary.classes):
        parts += [_problems(dataset, summary), Text()]
    rows = {
        "without objects": count(summary.empty, "image") if summary.empty else "",
        "left out": count(summary.left_out, "image") if summary.left_out else "",
        "clipped": count(summary.clipped, "box") if summary.clipped else "",
        "repeated": count(summary.repeated, "object") if summary.repeated else "",
        "pictures": "" if not drawn else f"{len(drawn)} in {drawn[0].parent}",
    }
    if conversion is not None:
        splits = ", ".join(f"{name} {number:,}" for name, number in conversion.splits.items())
        rows["converted"] = f"{conversion.folder}: {splits}"
        rows["not converted"] = ", ".join(f"split {name}" for name in conversion.left_out)
    parts.append(facts(headline, rows, complete=not summary.left_out))
    return Group(*parts)


def _splits(summary: Summary) -> Table:
    shown = table(dict.fromkeys(("split", "images", "objects"), ""))
    for name, each in summary.splits.items():
        shown.add_row(Text(name), f"{each.images:,}", f"{each.objects:,}")
    return shown


def _classes(summary: Summary) -> Table:
    from frcnn_cli.records import SIZES

    difficult = ["difficult"] if any(each.difficult for each in summary.classes.values()) else []
    headings = ("class", "objects", "images", *difficult, *SIZES)
    shown = table(dict.fromkeys(headings, ""), styles={"difficult": "dim"})
    shown.add_column(Text(_SHADES, "cyan"), no_wrap=True)
    for name, each in islice(summary.classes.items(), MOST_ROWS):
        numbers = (each.objects, each.images, *([each.difficult] if difficult else []))
        shares = [f"{100 * n / each.objects:.0f}%" if each.objects else "" for n in each.sizes]
        shown.add_row(Text(name), *(f"{number:,}" for number in numbers), *shares, _bar(each))
    if (more := len(summary.classes) - MOST_ROWS) > 0:
        shown.add_row(Text(f"and {more:,} more; --json lists them all", "dim"))
    return shown


def _bar(each: ClassCount) -> Text:
    """Returns the shares of small, medium and large objects as one bar."""
    if not each.objects:
        return Text("no objects", "dim")
    bar = Text()
    before = 0
    for shade, number in zip(_SHADES, each.sizes, strict=True):
        start, end = (round(_BAR * n / each.objects) for n in (before, before + number))
        bar.append(shade * (end - start), "cyan")
        before += number
    return bar


def _problems(dataset: Dataset, summary: Summary) -> RenderableType:
    lines = [_problem("noted", str(note)) for note in dataset.notes]
    lines += [_problem("shared", overlap) for overlap in summary.overlaps]
    lines += [_problem("alike", hint) for hint in alike(summary.classes)[:LISTED]]
    notes = [
        _problem(_kind(problem), str(error))
        for problem in sorted(summary.problems, key=lambda each: not each.dropped)
        for error in problem.errors
    ]
    lines += notes[:LISTED]
    noted = summary.left_out + summary.clipped + summary.repeated
    unkept = noted - len(summary.problems)
    more = len(notes) - len(notes[:LISTED]) + unkept
    if more:
        which = "the first thousand" if unkept else "them all"
        lines.append(Text(f"and {more:,} more; --json lists {which}", "dim"))
    return Group(*lines)


def _kind(problem: Problem) -> str:
    if problem.dropped:
        return "left out"
    return "repeated" if problem.repeated else "clipped"


def _problem(kind: str, message: str) -> Text:
    style = "bold red" if kind == "left out" else "magenta"
    return Text.assemble((kind, style), f"  {message}", overflow="fold")


def _conversion_json(conversion: Conversion) -> dict[str, Any]:
    return {
        "out": str(conversion.folder),
        "photographs": conversion.images,
        "splits": dict(conversion.splits),
        "left_out": list(conversion.left_out),
        "failures": [str(failure) for failure in conversion.failures],
    }
