"""The mAP under other conventions that evaluators use, each switched alone."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np

from frcnn_cli.config import Metric
from frcnn_cli.evaluation.metrics.average_precision import (
    COCO_LEVELS,
    Curve,
    area_under_curve,
    at_levels,
    eleven_point,
)
from frcnn_cli.evaluation.metrics.rules import Rules
from frcnn_cli.evaluation.metrics.tables import SplitTables
from frcnn_cli.evaluation.metrics.voc import MatchedSplit, match_tables, score

AveragePrecision = Callable[[Curve, Curve], float]

CURVES: Mapping[Metric, tuple[str, AveragePrecision]] = {
    "voc07": ("11 points", eleven_point),
    "voc10": ("area under the curve", area_under_curve),
    "coco": ("101 points", partial(at_levels, levels=COCO_LEVELS)),
}
"""How a curve becomes an AP: in words, and the function of precision and recall."""

_BINARY_LEVELS = np.arange(0.0, 1.1, 0.1)

SWITCHES: Sequence[tuple[str, str, Mapping[str, object]]] = (
    ("a match needs", "IoU > {iou:g} instead of ≥", {"above": True}),
    ("width of a box", "xmax − xmin, without the + 1", {"plus_one": False}),
    ("difficult objects", "count as any other", {"ignore_difficult": False}),
    ("assignment", "the best free object (COCO)", {"assignment": "free"}),
    ("equal scores", "the last one first", {"ties": "last"}),
    ("scores", "rounded to 3 decimals", {"score_decimals": 3}),
    ("scores", "rounded to 2 decimals", {"score_decimals": 2}),
    ("detections", "the best 100 per image", {"max_per_image": 100}),
    ("detections", "the best 20 per image", {"max_per_image": 20}),
)
"""What is switched, in words, and the fields of `Rules` that do it."""


@dataclass(frozen=True, slots=True)
class Variation:
    """The mAP under one other convention.

    Attributes:
        convention: what is switched.
        value: to what.
        map: the mAP in 0..1.
        difference: from the mAP of the metric.
    """

    convention: str
    value: str
    map: float
    difference: float


@dataclass(frozen=True, slots=True)
class Explanation:
    """An mAP, and what other conventions would make of it.

    Attributes:
        curve: how its curves become APs, in words.
        map: the mAP in 0..1 by the devkit's matching and `curve`.
        variations: each with one convention switched, in the order of the table.
    """

    curve: str
    map: float
    variations: tuple[Variation, ...]


def explain(tables: SplitTables, metric: Metric, iou: float = 0.5) -> Explanation:
    """Matches a split again under each convention.

    Args:
        tables: of the split.
        metric: the rule that is varied; `coco` stands for its 101 points at the one IoU.
        iou: IoU threshold of a match, in (0, 1].

    Raises:
        DataError: no class has an object, so that there is no mean.
    """
    name, curve = CURVES[metric]
    devkit = match_tables(tables, Rules(iou))
    base = _mean(devkit, curve)

    def outcomes() -> Iterator[tuple[str, str, float]]:
        for other, (words, function) in CURVES.items():
            if other != metric:
                yield "AP", words, _mean(devkit, function)
        if metric == "voc07":
            levels = partial(at_levels, levels=_BINARY_LEVELS)
            yield "AP", "11 points of np.arange(0, 1.1, 0.1)", _mean(devkit, levels)
        yield "absent classes", "count as 0", _mean(devkit, curve, absent=True)
        for convention, value, fields in SWITCHES:
            rules = Rules(iou, **fields)  # type: ignore[arg-type]
            split = match_tables(tables, rules)
            yield convention, value.format(iou=iou), _mean(split, curve)

    variations = (Variation(what, value, ap, ap - base) for what, value, ap in outcomes())
    return Explanation(name, base, tuple(variations))


def _mean(split: MatchedSplit, curve: AveragePrecision, *, absent: bool = False) -> float:
    """Returns the mAP; classes without objects are left out, or with `absent` count as 0."""
    classes = [each for each in score(split).classes if each.objects or absent]
    return float(np.mean([curve(each.precision, each.recall) for each in classes]))
