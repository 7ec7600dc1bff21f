"""Coverage of a data set's objects by its proposals, before any detector is trained.

The ceiling is the highest mAP that proposals allow: that of a perfect classifier that moves no box.
It gives every object the best of the proposals that the scorer would match with it, and reports
nothing else. Box regression can do better, since it moves boxes that overlap too little;
non-maximum suppression can do worse, where objects of one class overlap.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from frcnn_cli import boxes as box_ops
from frcnn_cli.cache.store import Cache
from frcnn_cli.config import ProposalConfig
from frcnn_cli.data.open import SplitSamples, open_dataset
from frcnn_cli.evaluation.metrics.recall import (
    LEVELS,
    POSITIVE_IOU,
    Recall,
    measure_overlaps,
    recall,
    recall_by_count,
)
from frcnn_cli.evaluation.metrics.voc import evaluate
from frcnn_cli.files import writing
from frcnn_cli.plotting.recall import plot_recall
from frcnn_cli.proposals.service import ensure_proposals
from frcnn_cli.records import Detections, DoubleArray, FloatArray, IntArray, Sample, rows_by_size
from frcnn_cli.runtime.progress import Progress, silent, tracked

SCHEMA = "frcnn.proposal_report/1"
STEP = "Measuring recall"

_COUNTS = (1, 2, 5)


class ProposalReport:
    """Recall of a split's objects by its proposals, difficult objects left out.

    Args:
        images: each with its proposals (N, 4), best first; read once, one at a time.
        classes: names of the labels 1..K.

    Attributes:
        overlaps: the measurements, object by object and image by image.
        everything: recall of all objects.
        classes: recall by class, in the order of the labels; None where a class has no object.
        sizes: recall by COCO's sizes; None where there is no object of a size.
        ceiling: the score of a perfect classifier over these proposals, at IoU 0.5.

    Raises:
        DataError: there is no image, or none has an object that is not difficult.
    """

    def __init__(self, images: Iterable[tuple[Sample, FloatArray]], classes: Sequence[str]) -> None:
        samples: list[Sample] = []
        perfect = {}

        def noted() -> Iterable[tuple[Sample, FloatArray]]:
            for sample, proposals in images:
                samples.append(sample)
                perfect[sample.image_id] = perfect_detections(sample, proposals, POSITIVE_IOU)
                yield sample, proposals

        self.overlaps = measure_overlaps(noted())
        self.ceiling = evaluate(samples, perfect, classes, POSITIVE_IOU)
        iou, labels = self.overlaps.iou, self.overlaps.labels
        everything = recall(iou)
        assert everything is not None  # the evaluation has objects
        self.everything = everything
        self.classes = {name: recall(iou[labels == k]) for k, name in enumerate(classes, start=1)}
        sizes = rows_by_size(self.overlaps.areas)
        self.sizes = {name: recall(iou[mine]) for name, mine in sizes.items()}

    @property
    def mean_best_overlap(self) -> float:
        """The mean of the classes' average best overlaps (MABO)."""
        return float(np.mean([each.best_overlap for each in self.classes.values() if each]))

    def by_count(self) -> tuple[IntArray, DoubleArray]:
        """Returns numbers of proposals, 10, 20, 50, …, and the recall at IoU 0.5 with as many."""
        most = int(self.overlaps.proposals.max())
        steps = [step * 10**power for power in range(1, 7) for step in _COUNTS]
        counts = np.array([*(step for step in steps if step < most), most])
        return counts, recall_by_count(self.overlaps.rank, counts)


def measure_proposals(
    data: Path,
    split: str,
    config: ProposalConfig,
    cache: Cache,
    *,
    workers: int = 0,
    progress: Progress = silent,
) -> tuple[ProposalReport, SplitSamples]:
    """Compares the proposals of a split with its objects; missing ones are computed.

    Args:
        data: folder of the data set.
        split: the images to measure.
        config: settings of the search.
        cache: where proposals are kept.
        workers: processes of the search.
        progress: called after each image.

    Returns:
        The measurements; and the images that were measured, with why others were not.

    Raises:
        DataError: there is no such data set or split, or none of its images can be used.
    """
    dataset = open_dataset(data, cache)
    found = SplitSamples.read(dataset, split)
    paths = [sample.path for sample in found.samples]
    run = ensure_proposals(paths, config, cache, workers=workers, progress=progress)
    found = found.usable(lambda sample: sample.path not in run.failures, run.failures.values())

    def with_proposals() -> Iterable[tuple[Sample, FloatArray]]:
        for sample in tracked(found.samples, STEP, progress):
            yield sample, run.proposals_for(sample.path)

    return ProposalReport(with_proposals(), dataset.classes), found


def plot_report(report: ProposalReport, path: Path, title: str) -> None:
    """Draws a report into a PNG.

    Args:
        report: the measurements.
        path: the file; it is overwritten.
        title: the headline.

    Raises:
        ConfigError: the file cannot be written.
    """
    with writing(path, remedy="name a folder that you can write to", make_folder=True):
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


def perfect_detections(sample: Sample, proposals: FloatArray, iou: float) -> Detections:
    """Returns what a perfect classifier makes of `proposals` (N, 4): at most one box per object.

    The scorer matches a box with the object of its class that it overlaps most. So one box never
    finds two objects, and an object may go without although some box overlaps it enough.

    Args:
        sample: the image's ground truth.
        proposals: (N, 4) float32.
        iou: IoU threshold of a match, in (0, 1].
    """
    found = [
        (label, row)
        for label in np.unique(sample.labels)
        for row in _rows_of_class(sample, proposals, label, iou)
    ]
    labels, rows = np.array(found, np.int64).reshape(-1, 2).T
    return Detections(proposals[rows], np.ones(len(rows), np.float32), labels)


def _rows_of_class(sample: Sample, proposals: FloatArray, label: np.int64, iou: float) -> IntArray:
    """Returns the proposal for each object of a class that can be found."""
    mine = sample.labels == label
    overlaps = box_ops.iou(proposals.astype(np.float64), sample.boxes[mine].astype(np.float64))
    if not len(proposals):
        return np.zeros(0, np.int64)
    nearest = overlaps.argmax(axis=1)
    matched = np.where(nearest[:, None] == np.arange(overlaps.shape[1]), overlaps, 0.0)
    found = (matched.max(axis=0) >= iou) & ~sample.difficult[mine]
    rows: IntArray = matched.argmax(axis=0)[found]
    return rows


def to_json(report: ProposalReport) -> dict[str, Any]:
    """Returns `report` as format `frcnn.proposal_report/1`; shares are fractions."""
    overlaps = report.overlaps
    with_objects = overlaps.objects > 0
    counts, shares = report.by_count()
    ceilings = {each.name: each for each in report.ceiling.classes}
    return {
        "schema": SCHEMA,
        "photographs": len(overlaps.proposals),
        "objects": report.everything.objects,
        "proposals": _spread(overlaps.proposals),
        "positives": {
            **_spread(overlaps.positives[with_objects]),
            "photographs_without": int((overlaps.positives[with_objects] == 0).sum()),
        },
        **_recall(report.everything),
        "mabo": report.mean_best_overlap,
        "ceiling": {rule: report.ceiling.mean_ap(rule) for rule in ("voc07", "voc10")},
        "recall_by_count": {
            str(count): float(share) for count, share in zip(counts, shares, strict=True)
        },
        "classes": {
            name: {**_recall(each), "ceiling_voc07": ceilings[name].voc07}
            for name, each in report.classes.items()
        },
        "sizes": {name: _recall(each) for name, each in report.sizes.items()},
    }


def _recall(each: Recall | None) -> dict[str, Any]:
    if each is None:
        return {"objects": 0, "recall": None, "average_recall": None, "abo": None}
    by_iou = zip(LEVELS, each.by_iou, strict=True)
    return {
        "objects": each.objects,
        "recall": {f"{level:.2f}": float(share) for level, share in by_iou},
        "average_recall": each.average,
        "abo": each.best_overlap,
    }


def _spread(counts: IntArray) -> dict[str, float]:
    return {
        "mean": float(counts.mean()),
        "median": float(np.median(counts)),
        "least": int(counts.min()),
        "most": int(counts.max()),
    }
