"""Recall by size of the objects."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from frcnn_cli.boxes import area
from frcnn_cli.evaluation.analysis.error_types import objects_found
from frcnn_cli.evaluation.metrics.voc import MatchedSplit
from frcnn_cli.records import rows_by_size


@dataclass(frozen=True, slots=True)
class SizeRecall:
    """The objects of one size, difficult ones excepted.

    Attributes:
        name: one of `SIZES`.
        objects: how many there are.
        found: how many of them have a true positive.
    """

    name: str
    objects: int
    found: int

    @property
    def recall(self) -> float | None:
        """Share of the objects that are found, in 0..1, or None without objects."""
        return self.found / self.objects if self.objects else None


def recall_by_size(split: MatchedSplit) -> tuple[SizeRecall, ...]:
    """Returns how many objects of each size are found, smallest size first."""
    wanted = ~split.objects.difficult
    found = np.zeros_like(wanted)
    found[objects_found(split)] = True
    sizes = rows_by_size(area(split.objects.boxes))
    return tuple(
        SizeRecall(name, int((mine & wanted).sum()), int((mine & wanted & found).sum()))
        for name, mine in sizes.items()
    )
