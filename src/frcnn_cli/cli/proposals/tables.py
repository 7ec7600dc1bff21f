"""The tables that `frcnn proposals` prints."""

from __future__ import annotations

import statistics
from pathlib import Path
from typing import Any

from rich.console import Group, RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from frcnn_cli.cli.text import count, facts, grid, table
from frcnn_cli.evaluation.metrics.recall import Recall
from frcnn_cli.evaluation.proposals import ProposalReport
from frcnn_cli.proposals.interchange.import_ import ImportRun

_SHOWN_LEVELS = {"0.5": 0, "0.7": 4, "0.9": 8}
"""Columns of the table, and their place among `recall.LEVELS`."""
_STYLES = {"0.5": "bold cyan", "mean": "dim", "ceiling": "dim"}
_CAPTION = """0.5, 0.7, 0.9: fraction of objects that a proposal overlaps by this IoU
mean: the same over the ten steps from 0.5 to 0.95
ABO: average best overlap; in the last line the mean of the classes
ceiling: VOC07 AP of a perfect classifier that moves no box
"""


def report_table(report: ProposalReport) -> RenderableType:
    """Returns recall by class and by size, and below it what is known of the images."""
    ceilings = {each.name: each.voc07 for each in report.ceiling.classes}
    objects, *recalls, mean, _ = _cells(report.everything)
    columns = {"class": "all", "objects": objects, **dict(zip(_SHOWN_LEVELS, recalls, strict=True))}
    columns |= {
        "mean": mean,
        "ABO": f"{report.mean_best_overlap:.3f}",
        "ceiling": f"{report.ceiling.mean_ap('voc07'):.3f}",
    }
    shown = table(columns, caption=_CAPTION, styles=_STYLES)
    for name, each in report.classes.items():
        known = ceilings[name]
        row = (*_cells(each), "–" if known is None else f"{known:.3f}")
        shown.add_row(Text(name), *row, style="" if each else "dim")
    shown.add_section()
    for name, each in report.sizes.items():
        shown.add_row(Text(name, "italic"), *_cells(each), "", style="" if each else "dim")
    return Group(shown, Padding(_images(report), (0, 0, 0, 2), expand=False))


def _cells(each: Recall | None) -> tuple[str, ...]:
    if each is None:
        return ("0", *("–" for _ in _SHOWN_LEVELS), "–", "–")
    recalls = (f"{each.by_iou[place]:.3f}" for place in _SHOWN_LEVELS.values())
    return (f"{each.objects:,}", *recalls, f"{each.average:.3f}", f"{each.best_overlap:.3f}")


def _images(report: ProposalReport) -> Table:
    overlaps = report.overlaps
    positives = overlaps.positives[overlaps.objects > 0]
    without = int((positives == 0).sum())
    rows = {
        "proposals per image": f"{overlaps.proposals.mean():,.0f} (mean)",
        "positives per image": f"{positives.mean():,.1f} (mean, IoU ≥ 0.5), "
        f"none in {without:,} of {len(positives):,}",
        "mAP ceiling": f"{report.ceiling.mean_ap('voc07'):.3f} by VOC07's rule, "
        f"{report.ceiling.mean_ap('voc10'):.3f} by VOC10's",
    }
    return grid(rows)


def import_facts(run: ImportRun, file: Path, name: str) -> RenderableType:
    """Returns what a file of proposals held, in words, and how to use it.

    Args:
        run: what was imported.
        file: where from.
        name: under which the proposals are kept.
    """
    chosen = run.chosen
    agrees = (
        "as its format says"
        if chosen.convention == run.documented
        else (f"though its format says {run.documented}")
    )
    second = (
        f"next best {run.second.best_overlap:.4f} as {run.second.convention}"
        if run.second
        else "no other convention keeps the boxes inside their images"
    )
    fit = (
        f"recall {chosen.recall:.3f} at IoU 0.5, average best overlap {chosen.best_overlap:.4f} of "
        f"{count(run.objects, 'object')}; {second}"
        if run.objects
        else "unknown: no annotated objects here to compare with"
    )
    median = round(statistics.median(run.counts.values())) if run.counts else 0
    others = [
        f"{run.unmatched_entries:,} entries of images that are not here"
        if run.unmatched_entries
        else "",
        f"{count(run.missing_images, 'image')} here without an entry" if run.missing_images else "",
    ]
    fixed = [
        f"clipped {run.clipped:,} that extended beyond their images" if run.clipped else "",
        f"left out {run.dropped:,} without area" if run.dropped else "",
    ]
    engine = 'engine = "imported"' + ("" if name == "default" else f', imported = "{name}"')
    return facts(
        f"Imported {count(len(run.counts), 'image')} with {median:,} boxes each (median)",
        {
            "file": f"{file}: {run.format}",
            "read as": f"{chosen.convention}, {agrees}",
            "fit": fit,
            "unmatched": "; ".join(filter(None, others)),
            "fixed": "; ".join(filter(None, fixed)),
            "failed": f"{len(run.failures):,}, listed below" if run.failures else "",
            "to use": f"set {engine} under [proposals] in frcnn.toml",
        },
        complete=not run.failures,
    )


def import_data(run: ImportRun, file: Path, name: str) -> dict[str, Any]:
    """Returns the same as data.

    Args:
        run: what was imported.
        file: where from.
        name: under which the proposals are kept.
    """
    return {
        "schema": "frcnn.proposal_import/1",
        "file": str(file),
        "format": run.format,
        "name": name,
        "read_as": str(run.chosen.convention),
        "documented": str(run.documented),
        "recall": run.chosen.recall if run.objects else None,
        "abo": run.chosen.best_overlap if run.objects else None,
        "photographs": len(run.counts),
        "strangers": run.unmatched_entries,
        "without": run.missing_images,
        "clipped": run.clipped,
        "dropped": run.dropped,
        "failures": [
            {"file": str(path), "problem": str(error)} for path, error in run.failures.items()
        ],
    }
