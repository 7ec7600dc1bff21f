"""Types of false positives, and reasons for missed objects.

The types follow TIDE (Bolya et al., ECCV 2020): a detection that overlaps an object a little was
meant for it, one that lies on an object of another class confused the two.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import IntEnum

import numpy as np
import numpy.typing as npt

from frcnn_cli.evaluation.metrics.matching import MatchOutcome, nearest_objects
from frcnn_cli.evaluation.metrics.voc import MatchedSplit
from frcnn_cli.records import BoolArray, GroundTruthDiagnostics, IntArray, Sample

MEANT_IOU = 0.1
"""IoU threshold of a detection with the object that it was meant for (TIDE's t_b)."""


class FalsePositiveType(IntEnum):
    """Type of a false positive; of several that fit, the last one here."""

    BACKGROUND = 0
    """It lies on no object, or on one of another class only loosely."""
    CONFUSED = 1
    """It lies on an object of another class."""
    LOCALISATION = 2
    """It lies on an object of its class, but too loosely for a match."""
    DUPLICATE = 3
    """It found an object that a higher score had found."""


class FalseNegativeType(IntEnum):
    """Reason why an object was not found; of several that fit, the first one here."""

    NO_PROPOSAL = 0
    """No proposal overlapped it enough for a match."""
    CONFUSED = 1
    """A detection lies on it, but of another class."""
    LOCALISATION = 2
    """A detection of its class lies on it, but too loosely."""
    SUPPRESSED = 3
    """A detection scored well enough, but non-maximum suppression dropped it."""
    LOW_SCORE = 4
    """A box lay on it, but scored below the threshold."""
    UNDETECTED = 5
    """Nothing was reported near it, and what led to that was not recorded."""


@dataclass(frozen=True, slots=True)
class FalsePositives:
    """The F false positives of a split, class by class in decreasing score.

    Attributes:
        detections: (F,) int64, rows of the detection table.
        objects: (F,) int64, row of the object that it found, confused or was meant for; -1 where
            it is background.
        types: (F,) int64 of `FalsePositiveType`.
    """

    detections: IntArray
    objects: IntArray
    types: IntArray


@dataclass(frozen=True, slots=True)
class FalseNegatives:
    """The M objects of a split that were not found, difficult ones excepted.

    Attributes:
        objects: (M,) int64, rows of the object table, increasing.
        types: (M,) int64 of `FalseNegativeType`.
    """

    objects: IntArray
    types: IntArray


@dataclass(frozen=True, slots=True)
class Evidence:
    """Proposals and candidate boxes at each of the G objects, before post-processing.

    Attributes:
        proposal_iou: (G,) highest IoU of a proposal with the object; NaN where it is not known.
        candidate_score: (G,) highest score that a box matching the object got for its class,
            before the threshold and non-maximum suppression; 0 where no box matched it, NaN where
            it is not known.
        score_threshold: score threshold of the detections.
    """

    proposal_iou: npt.NDArray[np.floating]
    candidate_score: npt.NDArray[np.floating]
    score_threshold: float


def collect_evidence(
    samples: Iterable[Sample], seen: Mapping[str, GroundTruthDiagnostics], score_threshold: float
) -> Evidence:
    """Returns what is known of the objects of `samples`, in the order of their table.

    Args:
        samples: the images that are scored.
        seen: by image id; of an image without an entry nothing is known.
        score_threshold: score threshold of the detections.
    """
    known = []
    for sample in samples:
        unknown = np.full(len(sample.boxes), np.nan, np.float32)
        known.append(seen.get(sample.image_id, GroundTruthDiagnostics(unknown, unknown)))
    return Evidence(
        np.concatenate([each.proposal_iou for each in known]),
        np.concatenate([each.candidate_score for each in known]),
        score_threshold,
    )


def find_false_positives(split: MatchedSplit) -> FalsePositives:
    """Returns every false positive of a split with its type."""
    per_class = [_false_positives_of(split, label) for label in range(1, len(split.classes) + 1)]
    return FalsePositives(*(np.concatenate(column) for column in zip(*per_class, strict=True)))


def _false_positives_of(split: MatchedSplit, label: int) -> tuple[IntArray, IntArray, IntArray]:
    """Returns one class's part of each column of `FalsePositives`."""
    matches = split.matches[label - 1]
    false = matches.outcomes == MatchOutcome.FALSE_POSITIVE
    rows, own, own_iou = matches.detections[false], matches.objects[false], matches.iou[false]
    others = np.flatnonzero(split.objects.labels != label)
    other, other_iou = nearest_objects(split, others, rows)
    # The first condition that holds decides.
    conditions = (own_iou >= split.iou, own_iou >= MEANT_IOU, other_iou >= split.iou)
    types = np.select(
        conditions,
        (FalsePositiveType.DUPLICATE, FalsePositiveType.LOCALISATION, FalsePositiveType.CONFUSED),
        FalsePositiveType.BACKGROUND,
    )
    return rows, np.select(conditions, (own, own, other), -1), types


def find_false_negatives(
    split: MatchedSplit, false_positives: FalsePositives, evidence: Evidence | None = None
) -> FalseNegatives:
    """Returns every object that was not found, with the reason.

    Args:
        split: the matched split.
        false_positives: its false positives, from `find_false_positives`.
        evidence: what came before the detections. Without it the reasons are only
            `CONFUSED`, `LOCALISATION` and `UNDETECTED`.
    """
    found = np.zeros(len(split.objects.labels), np.bool_)
    found[objects_found(split)] = True
    missed = np.flatnonzero(~found & ~split.objects.difficult)
    if evidence is None:
        unknown = np.full(len(found), np.nan)
        evidence = Evidence(unknown, unknown, 0.0)
    candidate = evidence.candidate_score[missed]

    def explained_by(error_type: FalsePositiveType) -> BoolArray:
        return np.isin(missed, false_positives.objects[false_positives.types == error_type])

    # The first condition that holds decides; a comparison with NaN, not known, never holds.
    reasons = {
        FalseNegativeType.NO_PROPOSAL: evidence.proposal_iou[missed] < split.iou,
        FalseNegativeType.CONFUSED: explained_by(FalsePositiveType.CONFUSED),
        FalseNegativeType.LOCALISATION: explained_by(FalsePositiveType.LOCALISATION),
        FalseNegativeType.SUPPRESSED: candidate >= evidence.score_threshold,
        FalseNegativeType.LOW_SCORE: candidate < evidence.score_threshold,
    }
    types = np.select(list(reasons.values()), list(reasons), FalseNegativeType.UNDETECTED)
    return FalseNegatives(missed, types)


def objects_found(split: MatchedSplit) -> IntArray:
    """Returns the rows of the objects that have a true positive."""
    return np.concatenate(
        [each.objects[each.outcomes == MatchOutcome.TRUE_POSITIVE] for each in split.matches]
    )
