"""`frcnn proposals`: search the regions of images and keep them in the cache."""

from __future__ import annotations

import statistics
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from rich.console import RenderableType
from rich.text import Text

from frcnn_cli.cli import options
from frcnn_cli.cli.options import argument, option, switch
from frcnn_cli.cli.text import count, duration, facts
from frcnn_cli.config import ProposalConfig
from frcnn_cli.errors import ConfigError

if TYPE_CHECKING:
    from frcnn_cli.proposals.service import ProposalRun

EXAMPLES = """[bold]Examples[/]

[cyan]frcnn proposals images/[/]  [dim]every image of a folder, on all cores[/]

[cyan]frcnn proposals photo.jpg --export boxes.npz[/]  [dim]boxes for other tools[/]

[cyan]frcnn proposals data/ --report recall/[/]  [dim]recall of the objects[/]

[cyan]frcnn proposals data/ --import voc_2007_trainval.mat[/]  [dim]another tool's boxes[/]
"""


@options.command(
    flags=(ProposalConfig,),
    needs={"split": ("import_from", "report_to")},
    excludes={
        "import_from": ("report_to", "export", "force", "workers", "scheduler"),
        "report_to": ("export", "force", "scheduler"),
    },
)
def proposals(
    context: options.CommandContext,
    paths: Annotated[list[Path], argument("PATH")],
    *,
    workers: Annotated[int, option("N", default="one per core", min=0)] = 0,
    scheduler: options.Scheduler = "",
    force: Annotated[bool, switch("--force")] = False,
    export: Annotated[Path | None, option("FILE")] = None,
    import_from: Annotated[Path | None, option("FILE", "--import")] = None,
    report_to: Annotated[Path | None, option("DIR", "--report")] = None,
    split: Annotated[str, option("NAME")] = "trainval",
    **search: Any,
) -> None:
    """Find boxes that may contain an object, and cache them.

    The cache is keyed by image content: a second run, train and eval reuse the boxes.

    Args:
        paths: Images, or folders of images.
        workers: Processes.
        force: Search again, ignoring the cache.
        export: Write the boxes of each image, as .npz or .json.
        import_from: Import another tool's proposals: .mat, .pkl, .npz or .json. PATH is
            their data.
        report_to: Compare with the objects of data set PATH; write report.json and
            report.png.
        split: Split for --report, or in the order of --import's file.
    """
    from frcnn_cli.data.image_files import find_images
    from frcnn_cli.proposals.interchange.export import check_export, export_proposals
    from frcnn_cli.proposals.service import ensure_proposals

    settings = context.settings().apply(ProposalConfig(), **search)
    context.terminal.if_interrupted = (
        f"the proposals so far are kept in {context.cache_dir}; the same command continues"
    )
    if import_from is not None:
        _import(context, paths, import_from, split, settings.imported)
        return
    if report_to is not None:
        _report(context, paths, report_to, split, settings, workers)
        return
    if export is not None:
        check_export(export)
    images = find_images(paths)
    with context.terminal.progress() as report:
        run = ensure_proposals(
            images,
            settings,
            context.cache,
            workers=workers,
            force=force,
            scheduler=scheduler,
            progress=report,
        )
    if export is not None:
        export_proposals(run, images, export)
    context.terminal.result(_as_data(run, export), _as_summary(run, export))
    context.terminal.finish(list(run.failures.values()), succeeded=len(run.counts))


def _import(
    context: options.CommandContext, paths: list[Path], file: Path, split: str, name: str
) -> None:
    from frcnn_cli.cli.proposals.tables import import_data, import_facts
    from frcnn_cli.proposals.interchange.import_ import import_proposals

    terminal = context.terminal
    with terminal.progress() as progress:
        run = import_proposals(paths, file, name, context.cache, split=split, progress=progress)
    terminal.result(import_data(run, file, name), import_facts(run, file, name))
    terminal.finish(list(run.failures.values()), succeeded=len(run.counts))


def _report(  # noqa: PLR0917
    context: options.CommandContext,
    paths: list[Path],
    folder: Path,
    split: str,
    settings: ProposalConfig,
    workers: int,
) -> None:
    from frcnn_cli.cli.proposals.tables import report_table
    from frcnn_cli.evaluation.proposals import measure_proposals, plot_report, to_json
    from frcnn_cli.files import write_json

    if len(paths) != 1:
        raise ConfigError(
            f"--report with {len(paths)} paths", remedy="name one folder, that of the data set"
        )
    terminal, cache = context.terminal, context.cache
    with terminal.progress() as progress:
        report, measured = measure_proposals(
            paths[0], split, settings, cache, workers=workers, progress=progress
        )
    images = count(len(measured.samples), "image")
    title = f"{measured.dataset.root.resolve().name} {split}: {images}, preset {settings.preset}"
    data = {"data": str(paths[0]), "split": split, **to_json(report)}
    write_json(folder / "report.json", data)
    plot_report(report, folder / "report.png", title)
    terminal.say(Text(f"{measured.dataset}\nsplit {split}, {images}", "dim"))
    terminal.result(data, report_table(report), is_table=True)
    terminal.say(Text(f"  {folder / 'report.json'}, {folder / 'report.png'}", "dim"))
    terminal.finish(measured.failures, succeeded=len(measured.samples))


def _median(run: ProposalRun) -> int:
    return round(statistics.median(run.counts.values())) if run.counts else 0


def _as_data(run: ProposalRun, export: Path | None) -> dict[str, Any]:
    return {
        "schema": "frcnn.proposals/1",
        "photographs": len(run.counts) + len(run.failures),
        "searched": run.searched,
        "cached": run.cached,
        "boxes_median": _median(run),
        "seconds": round(run.seconds, 3),
        "failures": [
            {"file": str(path), "problem": str(error)} for path, error in run.failures.items()
        ],
        "cache": str(run.cache.root),
        "export": None if export is None else str(export),
    }


def _as_summary(run: ProposalRun, export: Path | None) -> RenderableType:
    rate = f"{run.searched / run.seconds:.1f} images/s" if run.searched else ""
    images = count(len(run.counts), "image")
    return facts(
        f"{images} with {_median(run):,} boxes each (median)"
        if run.counts
        else "No image could be searched",
        {
            "searched": f"{run.searched:,} in {duration(run.seconds)}, {rate}" if rate else "",
            "cached": f"{run.cached:,}" if run.cached else "",
            "failed": f"{len(run.failures):,}, listed below" if run.failures else "",
            "kept in": str(run.cache.root),
            "exported": "" if export is None else str(export),
        },
        complete=not run.failures,
    )
