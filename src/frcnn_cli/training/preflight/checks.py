"""Checks of the data and estimates of a run before its first step."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from typing import Self

import numpy as np

from frcnn_cli import boxes as box_ops
from frcnn_cli.cache.keys import cached_content_hash
from frcnn_cli.cache.proposals import load_proposals
from frcnn_cli.cache.store import Cache
from frcnn_cli.config import ProposalConfig
from frcnn_cli.data.class_names import alike
from frcnn_cli.data.dataset import Dataset, Problem
from frcnn_cli.errors import DataError, FrcnnError, some_of
from frcnn_cli.proposals.service import proposal_keys
from frcnn_cli.records import Sample
from frcnn_cli.runtime.cores import all_cores
from frcnn_cli.runtime.progress import Progress, silent, tracked
from frcnn_cli.training.preflight.cost import Cost

READING = "Reading annotations"
LOOKING = "Reading proposals"
FEW_OBJECTS = 10
"""Number of objects below which a class can hardly be trained."""
LOW_RECALL = 0.8
"""Recall below which the proposals limit the detector."""
_IOU = 0.5


@dataclass(frozen=True)
class Coverage:
    """Number of objects that the cached proposals overlap with an IoU of 0.5 or more.

    Attributes:
        images: number of images whose proposals are in the cache.
        objects: number of their objects that are not difficult.
        covered: number of these objects that a proposal overlaps.
    """

    images: int
    objects: int
    covered: int

    @property
    def recall(self) -> float | None:
        """The fraction of covered objects; None without objects."""
        return self.covered / self.objects if self.objects else None


NOT_LOOKED = Coverage(0, 0, 0)


@dataclass(frozen=True)
class DataCheck:
    """Counts and problems of the annotations.

    Attributes:
        split: the split that was read.
        images: number of usable images.
        background: number of these without an object; they are trained on as background.
        objects: number of objects to train on, by class.
        difficult: number of objects that are not trained on.
        problems: images that are left out or repaired, and why.
    """

    split: str
    images: int
    background: int
    objects: Mapping[str, int]
    difficult: int
    problems: tuple[Problem, ...]

    @classmethod
    def of(
        cls,
        split: str,
        samples: Sequence[Sample],
        problems: Sequence[Problem],
        names: Sequence[str],
    ) -> Self:
        """Counts what `read_all` returns.

        Args:
            split: name of the split.
            samples: the usable images.
            problems: of the others, or repaired.
            names: names of the classes 1..K.
        """
        counts = np.zeros(len(names) + 1, np.int64)
        for sample in samples:
            counts += np.bincount(sample.labels[~sample.difficult], minlength=len(counts))
        return cls(
            split,
            len(samples),
            sum(not len(sample.boxes) for sample in samples),
            dict(zip(names, counts[1:].tolist(), strict=True)),
            sum(int(sample.difficult.sum()) for sample in samples),
            tuple(problems),
        )

    @property
    def failures(self) -> list[FrcnnError]:
        """Errors of the images that are left out."""
        return [problem.error for problem in self.problems if problem.dropped]

    def warnings(self) -> list[str]:
        """Returns warnings in words."""
        few = [f"{name} {n}" for name, n in self.objects.items() if n < FEW_OBJECTS]
        warnings = [f"few objects to learn from: {some_of(few)}"] if few else []
        return warnings + alike(self.objects)


@dataclass(frozen=True)
class RunEstimate:
    """Expected recall of the proposals, and time, memory and disk of a run.

    Attributes:
        coverage: of the objects by proposals.
        cost: time, memory and disk.
    """

    coverage: Coverage
    cost: Cost

    def warnings(self) -> list[str]:
        """Returns warnings in words."""
        found = []
        recall, cost = self.coverage.recall, self.cost
        if recall is not None and recall < LOW_RECALL:
            found.append(
                f"proposals cover only {recall:.0%} of the objects, and the detector cannot find "
                "the others: try another preset, or a larger max_side, in [proposals]"
            )
        if cost.memory_free is not None and cost.memory > cost.memory_free:
            found.append("memory may run out: lower short_sides or rois_per_image in [train]")
        if cost.disk > cost.disk_free:
            found.append("the disk is too full for the checkpoints: make room")
        return found


def read_all(
    dataset: Dataset, split: str, progress: Progress = silent
) -> tuple[list[Sample], list[Problem]]:
    """Reads every annotation and image header of a split, in parallel.

    Args:
        dataset: the data set.
        split: name of the split.
        progress: of the reading.

    Returns:
        The usable images, and all problems, both in the split's order.

    Raises:
        DataError: the data set has no such split, or no object at all.
    """
    ids = dataset.split(split)
    _ = dataset.classes  # computed at first use, which threads must not race for
    samples: list[Sample] = []
    problems: list[Problem] = []
    with ThreadPoolExecutor(2 * all_cores()) as pool:
        read = pool.map(partial(_read, dataset), ids)
        for _, (sample, found) in zip(tracked(ids, READING, progress), read, strict=True):
            if sample is not None:
                samples.append(sample)
            problems += found
    return samples, problems


def _read(dataset: Dataset, image_id: str) -> tuple[Sample | None, list[Problem]]:
    problems: list[Problem] = []
    try:
        return dataset.read(image_id, problems.append), problems
    except DataError as error:
        return None, [*problems, Problem(image_id, error, dropped=True)]


def cover(
    samples: Sequence[Sample], config: ProposalConfig, cache: Cache, progress: Progress = silent
) -> Coverage:
    """Returns how well the cached proposals cover the objects.

    Args:
        samples: the images and their ground truth.
        config: settings of the search.
        cache: holds the proposals.
        progress: of the reading.
    """
    key_of = proposal_keys(config)
    with ThreadPoolExecutor(2 * all_cores()) as pool:
        counts = pool.map(lambda sample: _covered(sample, config, cache, key_of), samples)
        pairs = zip(tracked(samples, LOOKING, progress), counts, strict=True)
        found = [each for _, each in pairs if each is not None]
    return Coverage(len(found), sum(n for n, _ in found), sum(n for _, n in found))


def _covered(
    sample: Sample, config: ProposalConfig, cache: Cache, key_of: Callable[[str], str]
) -> tuple[int, int] | None:
    """Returns the numbers of objects and of covered ones; None without cached proposals."""
    try:
        proposals = load_proposals(cache, key_of(cached_content_hash(cache, sample.path)))
    except FrcnnError:
        return None
    if proposals is None:
        return None
    objects = sample.boxes[~sample.difficult]
    if not len(objects) or not len(proposals):
        return len(objects), 0
    best = box_ops.iou(objects, proposals[: config.cap]).max(axis=1)
    return len(objects), int((best >= _IOU).sum())
