"""What false alarms are and why objects were missed.

The kinds follow TIDE (Bolya et al., ECCV 2020): a detection that overlaps an object a little was
meant for it, one that lies on an object of another class confused the two.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import IntEnum

import numpy as np
import numpy.typing as npt

from frcnn_cli.evaluation.metrics.matching import Outcome, nearest_objects
from frcnn_cli.evaluation.metrics.voc import MatchedSplit
from frcnn_cli.records import IntArray, ObjectEvidence, Sample

MEANT_IOU = 0.1
"""Least IoU of a detection with the object that it was meant for (TIDE's t_b)."""


class FalseAlarm(IntEnum):
    """What a false positive is; where several fit, the last one here."""

    BACKGROUND = 0
    """It lies on no object, or on one of another class only loosely."""
    CONFUSED = 1
    """It lies on an object of another class."""
    LOCALISATION = 2
    """It lies on an object of its class, but too loosely for a match."""
    DUPLICATE = 3
    """It found an object that a higher score had found."""


class Miss(IntEnum):
    """Why an object was not found; where several fit, the first one here."""

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
class FalseAlarms:
    """The F false positives of a split, class by class in falling score.

    Attributes:
        detections: (F,) int64, rows of the detection table.
        objects: (F,) int64, row of the object that it found, confused or was meant for; -1 where
            it is background.
        kinds: (F,) int64 of `FalseAlarm`.
    """

    detections: IntArray
    objects: IntArray
    kinds: IntArray


@dataclass(frozen=True, slots=True)
class Misses:
    """The M objects of a split that were not found, difficult ones excepted.

    Attributes:
        objects: (M,) int64, rows of the object table, rising.
        kinds: (M,) int64 of `Miss`.
    """

    objects: IntArray
    kinds: IntArray


@dataclass(frozen=True, slots=True)
class Evidence:
    """What the detector saw of each of the G objects before it reported detections.

    Attributes:
        proposal_iou: (G,) highest IoU of a proposal with the object; NaN where it is not known.
        candidate_score: (G,) highest score that a box matching the object got for its class,
            before the threshold and non-maximum suppression; 0 where no box matched it, NaN where
            it is not known.
        score_threshold: least score of a detection.
    """

    proposal_iou: npt.NDArray[np.floating]
    candidate_score: npt.NDArray[np.floating]
    score_threshold: float


def collect_evidence(
    samples: Iterable[Sample], seen: Mapping[str, ObjectEvidence], score_threshold: float
) -> Evidence:
    """Returns what is known of the objects of `samples`, in the order of their table.

    Args:
        samples: the photographs that are scored.
        seen: by image id; of a photograph without an entry nothing is known.
        score_threshold: least score of a detection.
    """
    iou, scores = [], []
    for sample in samples:
        nothing = np.full(len(sample.boxes), np.nan, np.float32)
        each = seen.get(sample.image_id)
        iou.append(nothing if each is None else each.proposal_iou)
        scores.append(nothing if each is None else each.candidate_score)
    return Evidence(np.concatenate(iou), np.concatenate(scores), score_threshold)


def find_false_alarms(split: MatchedSplit) -> FalseAlarms:
    """Returns every false positive of a split with its kind."""
    per_class = [_false_alarms_of(split, label) for label in range(1, len(split.classes) + 1)]
    return FalseAlarms(
        detections=np.concatenate([each.detections for each in per_class]),
        objects=np.concatenate([each.objects for each in per_class]),
        kinds=np.concatenate([each.kinds for each in per_class]),
    )


def _false_alarms_of(split: MatchedSplit, label: int) -> FalseAlarms:
    matches = split.matches[label - 1]
    false = matches.outcomes == Outcome.FALSE_POSITIVE
    rows, own, own_iou = matches.detections[false], matches.objects[false], matches.iou[false]
    others = np.flatnonzero(split.objects.labels != label)
    other, other_iou = nearest_objects(split.objects, split.detections, others, rows)
    # The first condition that holds decides.
    conditions = (own_iou >= split.iou, own_iou >= MEANT_IOU, other_iou >= split.iou)
    kinds = np.select(
        conditions,
        (FalseAlarm.DUPLICATE, FalseAlarm.LOCALISATION, FalseAlarm.CONFUSED),
        FalseAlarm.BACKGROUND,
    )
    return FalseAlarms(rows, np.select(conditions, (own, own, other), -1), kinds)


def find_misses(
    split: MatchedSplit, alarms: FalseAlarms, evidence: Evidence | None = None
) -> Misses:
    """Returns every object that was not found, with the reason.

    Args:
        split: the matched split.
        alarms: its false positives, from `find_false_alarms`.
        evidence: what came before the detections. Without it the reasons are only
            `CONFUSED`, `LOCALISATION` and `UNDETECTED`.
    """
    found = np.zeros(len(split.objects.labels), np.bool_)
    found[objects_found(split)] = True
    missed = np.flatnonzero(~found & ~split.objects.difficult)
    confused = np.isin(missed, alarms.objects[alarms.kinds == FalseAlarm.CONFUSED])
    loose = np.isin(missed, alarms.objects[alarms.kinds == FalseAlarm.LOCALISATION])
    if evidence is None:
        conditions: tuple[npt.NDArray[np.bool_], ...] = (confused, loose)
        kinds: tuple[Miss, ...] = (Miss.CONFUSED, Miss.LOCALISATION)
        return Misses(missed, np.select(conditions, kinds, Miss.UNDETECTED))
    no_proposal = evidence.proposal_iou[missed] < split.iou
    candidate = evidence.candidate_score[missed]
    suppressed = candidate >= evidence.score_threshold
    low = candidate < evidence.score_threshold  # neither holds where the score is not known
    conditions = (no_proposal, confused, loose, suppressed, low)
    kinds = (Miss.NO_PROPOSAL, Miss.CONFUSED, Miss.LOCALISATION, Miss.SUPPRESSED, Miss.LOW_SCORE)
    return Misses(missed, np.select(conditions, kinds, Miss.UNDETECTED))


def objects_found(split: MatchedSplit) -> IntArray:
    """Returns the rows of the objects that have a true positive."""
    return np.concatenate(
        [each.objects[each.outcomes == Outcome.TRUE_POSITIVE] for each in split.matches]
    )
