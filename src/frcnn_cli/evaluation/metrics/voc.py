"""VOC evaluation of a split: a precision-recall curve and both APs for each class, and the mean."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from frcnn_cli.config import VocMetric
from frcnn_cli.evaluation.metrics.average_precision import (
    Curve,
    area_under_curve,
    eleven_point,
    precision_recall,
)
from frcnn_cli.evaluation.metrics.matching import Matches, MatchOutcome, match
from frcnn_cli.evaluation.metrics.rules import Rules, prepare
from frcnn_cli.evaluation.metrics.tables import (
    SplitTables,
    require_objects,
    rows_by_class,
    tabulate,
)
from frcnn_cli.records import BoolArray, Detections, Sample, ScoreArray


@dataclass(frozen=True, slots=True)
class ClassResult:
    """Curve and VOC scores of one class.

    Attributes:
        name: the class.
        objects: objects to find, without the difficult ones.
        difficult: difficult objects, which count neither way.
        detections: all of them, also those M' - M that found a difficult object.
        precision: (M,) float64 after each detection that counts, in decreasing score.
        recall: (M,) float64, beside it; all 0 where the class has no objects.
        scores: (M,), beside it.
        voc07: 11-point AP in 0..1, or None where the class has no objects.
        voc10: area under the monotone curve in 0..1, or None likewise.
    """

    name: str
    objects: int
    difficult: int
    detections: int
    precision: Curve
    recall: Curve
    scores: ScoreArray
    voc07: float | None
    voc10: float | None

    def ap(self, metric: VocMetric) -> float | None:
        """Returns the AP by the rule `metric`, or None where the class has no objects."""
        return self.voc07 if metric == "voc07" else self.voc10


@dataclass(frozen=True, slots=True)
class Evaluation:
    """Curves and VOC scores of a split.

    Attributes:
        classes: one result per class, in the order of the labels.
        iou: IoU threshold of a match.
        images: images in the split, those without objects included.
    """

    classes: tuple[ClassResult, ...]
    iou: float
    images: int

    @property
    def left_out(self) -> tuple[str, ...]:
        """The classes without (non-difficult) objects in the split, left out of the mean."""
        return tuple(each.name for each in self.classes if not each.objects)

    def mean_ap(self, metric: VocMetric) -> float:
        """Returns the mAP in 0..1 by the rule `metric`, over the classes that have objects."""
        aps = [each.ap(metric) for each in self.classes]
        return float(np.mean([ap for ap in aps if ap is not None]))


@dataclass(frozen=True, slots=True)
class MatchedSplit(SplitTables):
    """A split whose detections are matched: what every count and curve is made from.

    Attributes:
        matches: one for each class; their rows point into the two tables.
        iou: IoU threshold of a match.
    """

    matches: tuple[Matches, ...]
    iou: float

    def counted(self) -> tuple[ScoreArray, BoolArray]:
        """Returns the scores (N,) of the detections that count, and which are right (N,)."""
        outcomes = np.concatenate([each.outcomes for each in self.matches])
        rows = np.concatenate([each.detections for each in self.matches])
        counts = outcomes != MatchOutcome.IGNORED
        right = outcomes[counts] == MatchOutcome.TRUE_POSITIVE
        return self.detections.scores[rows[counts]], right


def match_split(
    samples: Iterable[Sample],
    detections: Mapping[str, Detections],
    classes: Sequence[str],
    iou: float = 0.5,
) -> MatchedSplit:
    """Matches every detection of a split with its ground truth, class by class.

    Args:
        samples: the split's images, all of them, also those without objects.
        detections: by image id; an image without an entry has none.
        classes: names of the labels 1..K.
        iou: IoU threshold of a match, in (0, 1].

    Raises:
        DataError: samples and detections do not belong together.
    """
    return match_tables(tabulate(samples, detections, classes), Rules(iou))


def match_tables(tables: SplitTables, rules: Rules) -> MatchedSplit:
    """Matches the detections of a split with its ground truth by `rules`, class by class."""
    tables = prepare(tables, rules)
    objects, detections, classes = tables.objects, tables.detections, tables.classes
    rows = zip(
        rows_by_class(objects.labels, classes),
        rows_by_class(detections.labels, classes),
        strict=True,
    )
    matches = tuple(match(tables, wanted, given, rules) for wanted, given in rows)
    return MatchedSplit(objects, detections, classes, matches, rules.iou)


def evaluate(
    samples: Iterable[Sample],
    detections: Mapping[str, Detections],
    classes: Sequence[str],
    iou: float = 0.5,
) -> Evaluation:
    """Scores detections by the VOC rules.

    Args:
        samples: the split's images, all of them, also those without objects.
        detections: by image id; an image without an entry has none.
        classes: names of the labels 1..K.
        iou: IoU threshold of a match, in (0, 1].

    Raises:
        DataError: samples and detections do not belong together, or no class has an object.
    """
    return score(match_split(samples, detections, classes, iou))


def score(split: MatchedSplit) -> Evaluation:
    """Returns curves and APs of a matched split.

    Raises:
        DataError: no class has an object, so that there is no mean.
    """
    require_objects(split.objects)
    k = len(split.classes) + 1
    total = np.bincount(split.objects.labels, minlength=k)
    difficult = np.bincount(split.objects.labels[split.objects.difficult], minlength=k)
    results = [
        _score_class(
            name, int(total[i] - difficult[i]), int(difficult[i]), matches, split.detections.scores
        )
        for i, (name, matches) in enumerate(zip(split.classes, split.matches, strict=True), start=1)
    ]
    return Evaluation(tuple(results), split.iou, len(split.objects.image_ids))


def _score_class(
    name: str, objects: int, difficult: int, matches: Matches, scores: ScoreArray
) -> ClassResult:
    counts = matches.outcomes != MatchOutcome.IGNORED
    precision, recall = precision_recall(
        matches.outcomes[counts] == MatchOutcome.TRUE_POSITIVE, max(objects, 1)
    )
    return ClassResult(
        name=name,
        objects=objects,
        difficult=difficult,
        detections=len(matches.outcomes),
        precision=precision,
        recall=recall,
        scores=scores[matches.detections[counts]],
        voc07=eleven_point(precision, recall) if objects else None,
        voc10=area_under_curve(precision, recall) if objects else None,
    )
