"""Two detectors on the same photographs: is the difference more than the choice of photographs?

Both are resampled with the same photographs (a paired bootstrap), so what makes a photograph hard
for both cancels out, and the interval of the difference is narrower than those of the mAPs suggest.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from frcnn_cli.evaluation.analysis import Analysis
from frcnn_cli.evaluation.analysis.bootstrap import Interval, bootstrap_maps, interval
from frcnn_cli.evaluation.report.analysis_json import interval_to_json

SCHEMA = "frcnn.comparison/1"


@dataclass(frozen=True, slots=True)
class ClassDifference:
    """One class of both: APs in 0..1 and B - A, None where it has no objects."""

    name: str
    objects: int
    a: float | None
    b: float | None
    difference: float | None
    interval: Interval | None


@dataclass(frozen=True, slots=True)
class Comparison:
    """B held against A.

    Attributes:
        a: the analysis of A.
        b: the analysis of B, of the same photographs by the same rule and seed.
        difference: mAP of B - mAP of A.
        interval: of the difference.
        classes: in the order of the labels.
    """

    a: Analysis
    b: Analysis
    difference: float
    interval: Interval | None
    classes: tuple[ClassDifference, ...]

    @property
    def is_clear(self) -> bool:
        """Whether the interval of the difference excludes 0."""
        return self.interval is not None and self.interval.excludes_zero

    @property
    def verdict(self) -> str:
        """What the interval says, in a sentence."""
        if not self.is_clear:
            return "The interval includes 0: these photographs do not tell the two apart."
        better, worse = ("B", "A") if self.difference > 0 else ("A", "B")
        return f"The interval excludes 0: {better} is better than {worse} on such photographs."


def compare(a: Analysis, b: Analysis) -> Comparison:
    """Holds `b` against `a`; both must be of one split, metric, number of resamples and seed."""
    assert a.split.objects.image_ids == b.split.objects.image_ids
    assert a.split.classes == b.split.classes
    assert a.metric == b.metric
    assert a.resampled_aps.shape == b.resampled_aps.shape
    resampled = b.resampled_aps - a.resampled_aps
    classes = []
    pairs = zip(a.evaluation.classes, b.evaluation.classes, resampled, strict=True)
    for mine, other, differences in pairs:
        first, second = mine.ap(a.metric), other.ap(b.metric)
        change = None if first is None or second is None else second - first
        about = interval(differences, change)
        classes.append(ClassDifference(mine.name, mine.objects, first, second, change, about))
    difference = b.map - a.map
    resampled_maps = bootstrap_maps(b.resampled_aps) - bootstrap_maps(a.resampled_aps)
    return Comparison(a, b, difference, interval(resampled_maps, difference), tuple(classes))


def comparison_to_json(comparison: Comparison) -> dict[str, Any]:
    """Returns a comparison as `frcnn.comparison/1`; fractions, B - A."""
    a, b = comparison.a, comparison.b
    return {
        "schema": SCHEMA,
        "metric": a.metric,
        "iou": a.split.iou,
        "images": len(a.split.objects.image_ids),
        "resamples": int(np.shape(a.resampled_aps)[1]),
        "map_a": a.map,
        "map_b": b.map,
        "difference": comparison.difference,
        "interval": interval_to_json(comparison.interval),
        "excludes_zero": comparison.is_clear,
        "classes": {
            each.name: {
                "objects": each.objects,
                "ap_a": each.a,
                "ap_b": each.b,
                "difference": each.difference,
                "interval": interval_to_json(each.interval),
            }
            for each in comparison.classes
        },
    }
