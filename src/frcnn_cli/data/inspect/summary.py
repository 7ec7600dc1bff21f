"""Summary of a data set: images, objects, classes, and problems."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from frcnn_cli import boxes as box_ops
from frcnn_cli.data.dataset import Dataset, Problem
from frcnn_cli.data.overlaps import overlapping_splits
from frcnn_cli.data.record import Record
from frcnn_cli.errors import DataError
from frcnn_cli.records import SIZES
from frcnn_cli.runtime.progress import Progress, silent, tracked

KEPT = 1000
"""Images left out, and boxes clipped or repeated, that are listed; all are counted."""


@dataclass(slots=True)
class ClassCount:
    """The objects of one class; `sizes` are those of `records.SIZES`."""

    objects: int = 0
    images: int = 0
    difficult: int = 0
    sizes: list[int] = field(default_factory=lambda: [0, 0, 0])


@dataclass(slots=True)
class SplitCount:
    """Counts of one split."""

    images: int = 0
    objects: int = 0


@dataclass(slots=True)
class Summary:
    """Content of a data set, of the images that can be used.

    Attributes:
        images: how many can be used.
        objects: in them.
        empty: images without objects.
        classes: by name, in the order of their labels.
        splits: by name.
        problems: of the first `KEPT` images or boxes.
        left_out: images that cannot be used.
        clipped: boxes that were clipped.
        repeated: objects that are there twice, and were counted once.
        overlaps: images that two splits share, in words.
    """

    images: int = 0
    objects: int = 0
    empty: int = 0
    classes: dict[str, ClassCount] = field(default_factory=dict)
    splits: dict[str, SplitCount] = field(default_factory=dict)
    problems: list[Problem] = field(default_factory=list)
    left_out: int = 0
    clipped: int = 0
    repeated: int = 0
    overlaps: tuple[str, ...] = ()

    def add(self, record: Record, splits: tuple[str, ...]) -> None:
        """Counts an image that is in `splits`."""
        count = len(record.names)
        self.images += 1
        self.objects += count
        self.empty += not count
        for split in splits:
            self.splits[split].images += 1
            self.splits[split].objects += count
        least = [low for low, _ in SIZES.values()]
        sizes = (np.digitize(box_ops.area(record.boxes), least) - 1).tolist()
        for name, size, difficult in zip(
            record.names, sizes, record.difficult.tolist(), strict=True
        ):
            entry = self.classes.setdefault(name, ClassCount())
            entry.objects += 1
            entry.difficult += difficult
            entry.sizes[size] += 1
        for name in frozenset(record.names):
            self.classes[name].images += 1

    def note(self, problem: Problem) -> None:
        """Counts a problem."""
        self.left_out += problem.dropped
        self.repeated += problem.repeated
        self.clipped += not (problem.dropped or problem.repeated)
        if len(self.problems) < KEPT:
            self.problems.append(problem)


def summarize(dataset: Dataset, progress: Progress = silent) -> Summary:
    """Reads every annotation and every image's header, and counts.

    Memory does not grow with the objects: one image is held at a time.
    """
    summary = Summary(
        classes={name: ClassCount() for name in dataset.class_list or ()},
        splits={name: SplitCount() for name in dataset.splits},
    )
    membership = _membership(dataset.splits)
    paths: dict[str, Path] = {}
    for image_id in tracked(dataset.ids, "Reading annotations", progress):
        try:
            record = dataset.record(image_id, summary.note)
        except DataError as error:
            summary.note(Problem(image_id, error, dropped=True))
        else:
            summary.add(record, membership.get(image_id, ()))
            paths[image_id] = record.path
    if dataset.class_list is None:
        summary.classes = dict(sorted(summary.classes.items()))
    summary.overlaps = overlapping_splits(dataset.splits, paths)
    return summary


def _membership(splits: Mapping[str, tuple[str, ...]]) -> dict[str, tuple[str, ...]]:
    """Returns the splits of each image; images of the same splits share one tuple."""
    found: dict[str, tuple[str, ...]] = defaultdict(tuple)
    longer: dict[tuple[tuple[str, ...], str], tuple[str, ...]] = {}
    for name, ids in splits.items():
        for image_id in ids:
            before = found[image_id]
            found[image_id] = longer.setdefault((before, name), (*before, name))
    return found


def to_json(dataset: Dataset, summary: Summary) -> dict[str, Any]:
    """Returns the report of format `frcnn.data/1`."""
    return {
        "schema": "frcnn.data/1",
        "format": dataset.format,
        "root": str(dataset.root),
        "photographs": summary.images,
        "objects": summary.objects,
        "without_objects": summary.empty,
        "splits": {
            name: {"photographs": each.images, "objects": each.objects}
            for name, each in summary.splits.items()
        },
        "classes": {
            name: {
                **({"category_id": dataset.categories[name]} if name in dataset.categories else {}),
                "objects": each.objects,
                "photographs": each.images,
                "difficult": each.difficult,
                **dict(zip(SIZES, each.sizes, strict=True)),
            }
            for name, each in summary.classes.items()
        },
        "left_out": summary.left_out,
        "clipped": summary.clipped,
        "repeated": summary.repeated,
        "overlaps": list(summary.overlaps),
        "notes": [str(note) for note in dataset.notes],
        "problems": [
            {
                "image_id": each.image_id,
                "file": error.file,
                "problem": error.problem,
                "remedy": error.remedy,
                "left_out": each.dropped,
            }
            for each in summary.problems
            for error in each.errors
        ],
    }
