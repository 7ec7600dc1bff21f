"""What can be known of proposals before a detector is trained on them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from frcnn_cli.evaluation.ceiling import perfect_detections
from frcnn_cli.evaluation.metrics.recall import (
    LEVELS,
    POSITIVE_IOU,
    SIZES,
    Overlaps,
    Recall,
    Values,
    measure_overlaps,
    recall,
    recall_by_count,
)
from frcnn_cli.evaluation.metrics.voc import Evaluation, evaluate
from frcnn_cli.records import FloatArray, IntArray, Sample

SCHEMA = "frcnn.proposal_report/1"

_COUNTS = (1, 2, 5)


@dataclass(frozen=True, slots=True)
class ProposalReport:
    """How well the proposals of a split cover its objects, difficult ones left out.

    Attributes:
        overlaps: the measurements, object by object and photograph by photograph.
        everything: recall of all objects.
        classes: recall by class, in the order of the labels; None where a class has no object.
        sizes: recall by COCO's sizes; None where there is no object of a size.
        ceiling: the score of a perfect classifier over these proposals, at IoU 0.5.
    """

    overlaps: Overlaps
    everything: Recall
    classes: Mapping[str, Recall | None]
    sizes: Mapping[str, Recall | None]
    ceiling: Evaluation

    @property
    def mean_best_overlap(self) -> float:
        """The mean of the classes' average best overlaps (MABO)."""
        return float(np.mean([each.best_overlap for each in self.classes.values() if each]))

    def by_count(self) -> tuple[IntArray, Values]:
        """Returns numbers of proposals, 10, 20, 50, …, and the recall at IoU 0.5 with as many."""
        most = int(self.overlaps.proposals.max())
        steps = [step * 10**power for power in range(1, 7) for step in _COUNTS]
        counts = np.array([*(step for step in steps if step < most), most])
        return counts, recall_by_count(self.overlaps.rank, counts)


def report_proposals(
    photographs: Iterable[tuple[Sample, FloatArray]], classes: Sequence[str]
) -> ProposalReport:
    """Measures the proposals (N, 4), best first, of each photograph.

    Args:
        photographs: read once, one at a time.
        classes: names of the labels 1..K.

    Raises:
        DataError: there is no photograph, or none has an object that is not difficult.
    """
    samples: list[Sample] = []
    perfect = {}

    def noted() -> Iterable[tuple[Sample, FloatArray]]:
        for sample, proposals in photographs:
            samples.append(sample)
            perfect[sample.image_id] = perfect_detections(sample, proposals, POSITIVE_IOU)
            yield sample, proposals

    overlaps = measure_overlaps(noted())
    ceiling = evaluate(samples, perfect, classes, POSITIVE_IOU)
    everything = recall(overlaps.iou)
    assert everything is not None  # the evaluation has objects
    return ProposalReport(
        overlaps,
        everything,
        {
            name: recall(overlaps.iou[overlaps.labels == label])
            for label, name in enumerate(classes, start=1)
        },
        {
            name: recall(overlaps.iou[(overlaps.areas >= low) & (overlaps.areas < high)])
            for name, (low, high) in SIZES.items()
        },
        ceiling,
    )


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
