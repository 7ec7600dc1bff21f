"""A data set → how well its proposals cover its objects, before anything is trained."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from frcnn_cli.cache.store import Cache
from frcnn_cli.config import ProposalConfig
from frcnn_cli.data.open import open_dataset, read_split
from frcnn_cli.errors import DataError, FrcnnError
from frcnn_cli.evaluation.metrics.recall import LEVELS
from frcnn_cli.evaluation.proposals import ProposalReport, report_proposals
from frcnn_cli.files import writing
from frcnn_cli.plotting.recall import plot_recall
from frcnn_cli.proposals.service import ProposalRun, ensure_proposals
from frcnn_cli.records import FloatArray, Sample
from frcnn_cli.runtime.progress import Progress, silent

STEP = "Measuring recall"


@dataclass(frozen=True)
class ReportRun:
    """What was measured, and what was left out.

    Attributes:
        report: the measurements.
        dataset: the data set, in words.
        dataset_name: the name of its folder.
        proposals: the search.
        failures: photographs that could not be read or searched.
    """

    report: ProposalReport
    dataset: str
    dataset_name: str
    proposals: ProposalRun
    failures: tuple[FrcnnError, ...]


def measure_proposals(
    data: Path,
    split: str,
    config: ProposalConfig,
    cache: Cache,
    *,
    workers: int = 0,
    progress: Progress = silent,
) -> ReportRun:
    """Compares the proposals of a split with its objects; those that are missing are made.

    Raises:
        DataError: there is no such data set or split, or none of its photographs can be used.
    """
    dataset = open_dataset(data, cache)
    samples, failures = read_split(dataset, split)
    paths = [sample.path for sample in samples]
    run = ensure_proposals(paths, config, cache, workers=workers, progress=progress)
    failures += run.failures.values()
    usable = [sample for sample in samples if sample.path not in run.failures]
    if not usable:
        because = f", the first because {failures[0]}" if failures else ": it is empty"
        raise DataError(f"no photograph of split {split!r} can be used{because}", file=dataset.root)
    report = report_proposals(_with_proposals(usable, run, progress), dataset.classes)
    name = dataset.root.resolve().name
    return ReportRun(report, str(dataset), name, run, tuple(failures))


def plot_report(report: ProposalReport, path: Path, title: str) -> None:
    """Draws a report into a PNG.

    Raises:
        ConfigError: the file cannot be written.
    """
    with writing(path, remedy="name a folder that you can write to"):
        path.parent.mkdir(parents=True, exist_ok=True)
        plot_recall(
            path,
            levels=LEVELS,
            everything=report.everything.by_iou,
            sizes={name: each.by_iou for name, each in report.sizes.items() if each},
            by_count=report.by_count(),
            classes={
                name: (float(each.by_iou[0]), each.best_overlap)
                for name, each in report.classes.items()
                if each
            },
            title=title,
        )


def _with_proposals(
    samples: Sequence[Sample], run: ProposalRun, progress: Progress
) -> Iterator[tuple[Sample, FloatArray]]:
    for done, sample in enumerate(samples, start=1):
        yield sample, run.proposals_for(sample.path)
        progress(STEP, done, len(samples))
