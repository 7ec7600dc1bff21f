"""How many objects are found, by their size."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from frcnn_cli.boxes import area
from frcnn_cli.evaluation.analysis.error_types import objects_found
from frcnn_cli.evaluation.metrics.voc import MatchedSplit

SIZES = (("small", 0.0, 32.0**2), ("medium", 32.0**2, 96.0**2), ("large", 96.0**2, np.inf))
"""COCO's three sizes: name, least area and the area that is too large, square pixels of the box."""


@dataclass(frozen=True, slots=True)
class SizeResult:
    """The objects of one size, difficult ones excepted.

    Attributes:
        name: "small", "medium" or "large".
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


def recall_by_size(split: MatchedSplit) -> tuple[SizeResult, ...]:
    """Returns how many objects of each size are found, smallest size first."""
    areas = area(split.objects.boxes)
    found = np.zeros(len(areas), np.bool_)
    found[objects_found(split)] = True
    wanted = ~split.objects.difficult
    results = []
    for name, least, too_large in SIZES:
        mine = wanted & (areas >= least) & (areas < too_large)
        results.append(SizeResult(name, int(mine.sum()), int((mine & found).sum())))
    return tuple(results)
