"""Pictures of a detector's worst errors, with captions that explain them."""

from __future__ import annotations

import logging
import math
import os
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import islice
from pathlib import Path

import numpy as np

from frcnn_cli.boxes import area, iou
from frcnn_cli.data.images import load_image
from frcnn_cli.errors import FrcnnError
from frcnn_cli.evaluation.analysis import Analysis
from frcnn_cli.evaluation.analysis.error_types import (
    MEANT_IOU,
    FalseNegativeType,
    FalsePositiveType,
)
from frcnn_cli.evaluation.metrics.matching import MatchOutcome
from frcnn_cli.evaluation.report.thumbnails import DETECTED, TRUTH, Picture, make_picture
from frcnn_cli.plotting.draw import Mark
from frcnn_cli.records import IntArray, Sample
from frcnn_cli.runtime.progress import Progress, silent

STEP = "Drawing errors"
MAX_PICTURES = 8
"""Pictures of each type of error."""

_LOGGER = logging.getLogger(__name__)

FALSE_NEGATIVES: Mapping[FalseNegativeType, tuple[str, str]] = {
    FalseNegativeType.NO_PROPOSAL: (
        "No proposal",
        "No proposal overlaps it enough, so it was never classified.",
    ),
    FalseNegativeType.CONFUSED: ("Another class", "A box lies on it, of another class."),
    FalseNegativeType.LOCALISATION: ("Badly placed", "A box of its class lies on it, too loosely."),
    FalseNegativeType.SUPPRESSED: (
        "Suppressed",
        "A box with a sufficient score was suppressed by one that overlaps it.",
    ),
    FalseNegativeType.LOW_SCORE: (
        "Below the threshold",
        "No box on it had a sufficient score for its class.",
    ),
    FalseNegativeType.UNDETECTED: (
        "No box, reason unknown",
        "No box lies on it; why was not recorded.",
    ),
}
"""Name and meaning of each type of missed object."""

FALSE_POSITIVES: Mapping[FalsePositiveType, tuple[str, str]] = {
    FalsePositiveType.BACKGROUND: (
        "Background",
        "On no object, or loosely on one of another class.",
    ),
    FalsePositiveType.CONFUSED: ("Another class", "On an object, but not of this class."),
    FalsePositiveType.LOCALISATION: ("Badly placed", "On an object of its class, but too loosely."),
    FalsePositiveType.DUPLICATE: ("Duplicate", "On an object that a higher score found already."),
}
"""Name and meaning of each type of false positive."""


@dataclass(frozen=True, slots=True)
class Gallery:
    """Pictures of one type of error, out of `count` errors."""

    name: str
    meaning: str
    count: int
    pictures: Sequence[Picture]


class ErrorGalleries:
    """Draws the errors of an analysis, each image read when it is needed.

    Args:
        analysis: of the split.
        samples: its images.
    """

    def __init__(self, analysis: Analysis, samples: Sequence[Sample]) -> None:
        self._analysis = analysis
        self._split = analysis.split
        self._paths = [sample.path for sample in samples]
        self._same_names = Counter(path.name for path in self._paths)
        self._unreadable: set[Path] = set()

    def galleries(self, progress: Progress = silent) -> tuple[list[Gallery], list[Gallery]]:
        """Returns the galleries of missed objects and of false positives, of each type that occurs.

        The largest missed objects and the false positives with the highest scores come first.
        """
        missed, wrong = self._analysis.false_negatives, self._analysis.false_positives
        count = len(self._analysis.false_negative_types) + len(self._analysis.false_positive_types)
        of_missed, of_wrong = [], []
        for done, miss in enumerate(self._analysis.false_negative_types, start=1):
            rows = missed.objects[missed.types == miss]
            rows = rows[np.argsort(-area(self._split.objects.boxes[rows]), kind="stable")]
            draw = partial(self._false_negative, error=miss)
            of_missed.append(_gallery(*FALSE_NEGATIVES[miss], rows, draw))
            progress(STEP, done, count)
        for done, error in enumerate(self._analysis.false_positive_types, start=len(of_missed) + 1):
            rows = np.flatnonzero(wrong.types == error)
            scores = self._split.detections.scores[wrong.detections[rows]]
            rows = rows[np.argsort(-scores, kind="stable")]
            draw = partial(self._false_positive, error=error)
            of_wrong.append(_gallery(*FALSE_POSITIVES[error], rows, draw))
            progress(STEP, done, count)
        return [each for each in of_missed if each.pictures], [
            each for each in of_wrong if each.pictures
        ]

    def _false_negative(self, row: int, error: FalseNegativeType) -> Picture | None:
        """Draws a missed object, a row of the object table."""
        x1, y1, x2, y2 = self._split.objects.boxes[row]
        blamed = self._blamed(row, error)
        marks = [self._object_mark(row)]
        if blamed is not None:
            marks.append(self._detection_mark(blamed))
        title = f"{self._class_of(row)}, {x2 - x1:.0f} × {y2 - y1:.0f} px"
        detail = self._reason(row, error, blamed)
        return self._picture(int(self._split.objects.image[row]), marks, title, detail)

    def _false_positive(self, row: int, error: FalsePositiveType) -> Picture | None:
        """Draws a false positive, a row of the false positives."""
        wrong = self._analysis.false_positives
        detection, on = int(wrong.detections[row]), int(wrong.objects[row])
        if on < 0:
            on = self._nearest(detection)
        marks = [self._detection_mark(detection)]
        detail = "nothing that is annotated lies there"
        if on >= 0:
            marks.append(self._object_mark(on))
            overlap, name = f"IoU {_cut(self._overlap(on, detection))}", self._class_of(on)
            detail = {
                FalsePositiveType.BACKGROUND: f"{overlap} with the {name}, hardly meant for it",
                FalsePositiveType.CONFUSED: f"is {name}; {overlap}",
                FalsePositiveType.LOCALISATION: f"{overlap} with the {name}",
                FalsePositiveType.DUPLICATE: f"the {name} is found already"
                f"{self._found_by(on)}; {overlap}",
            }[error]
        image = int(self._split.detections.image[detection])
        return self._picture(image, marks, " ".join(self._named(detection)), detail)

    def _reason(self, row: int, error: FalseNegativeType, blamed: int | None) -> str:
        """Returns in words why an object was missed."""
        if blamed is not None:
            verb = "is called" if error is FalseNegativeType.CONFUSED else "found loosely as"
            overlap = _cut(self._overlap(row, blamed))
            return f"{verb} {' '.join(self._named(blamed))}; IoU {overlap}"
        evidence = self._analysis.evidence
        if evidence is None or error is FalseNegativeType.UNDETECTED:
            return "no box lies on it"
        candidate = float(evidence.candidate_score[row])
        if error is FalseNegativeType.NO_PROPOSAL:
            return f"best proposal: IoU {_cut(float(evidence.proposal_iou[row]))}"
        if error is FalseNegativeType.SUPPRESSED:
            return f"its best box scored {candidate:.2f} and was suppressed"
        return f"its best box scored {candidate:.3f}" if candidate else "no RoI kept a box on it"

    def _blamed(self, object_row: int, error: FalseNegativeType) -> int | None:
        """Returns the highest-scored detection that explains a missed object, if one does."""
        explains = {
            FalseNegativeType.CONFUSED: FalsePositiveType.CONFUSED,
            FalseNegativeType.LOCALISATION: FalsePositiveType.LOCALISATION,
        }
        if error not in explains:
            return None
        wrong = self._analysis.false_positives
        rows = wrong.detections[(wrong.objects == object_row) & (wrong.types == explains[error])]
        return int(rows[np.argmax(self._split.detections.scores[rows])])

    def _found_by(self, object_row: int) -> str:
        """Returns the score of the detection that found an object, as " at 0.97"."""
        matches = self._split.matches[int(self._split.objects.labels[object_row]) - 1]
        hit = (matches.objects == object_row) & (matches.outcomes == MatchOutcome.TRUE_POSITIVE)
        rows = matches.detections[hit]
        return f" at {float(self._split.detections.scores[rows[0]]):.2f}" if len(rows) else ""

    def _nearest(self, detection: int) -> int:
        """Returns the object that a detection overlaps most, or -1 where that is not much."""
        objects, found = self._split.objects, self._split.detections
        rows = np.flatnonzero(objects.image == found.image[detection])
        overlaps = iou(objects.boxes[rows], found.boxes[[detection]])[:, 0]
        best = int(overlaps.argmax()) if len(rows) else -1
        return int(rows[best]) if best >= 0 and overlaps[best] >= MEANT_IOU else -1

    def _overlap(self, object_row: int, detection: int) -> float:
        objects, found = self._split.objects, self._split.detections
        return float(iou(objects.boxes[[object_row]], found.boxes[[detection]])[0, 0])

    def _class_of(self, object_row: int) -> str:
        return self._split.classes[int(self._split.objects.labels[object_row]) - 1]

    def _named(self, detection: int) -> tuple[str, str]:
        """Returns the class and the score of a detection."""
        found = self._split.detections
        name = self._split.classes[int(found.labels[detection]) - 1]
        return name, f"{found.scores[detection]:.2f}"

    def _object_mark(self, row: int) -> Mark:
        return Mark(self._split.objects.boxes[row], TRUTH, self._class_of(row))

    def _detection_mark(self, row: int) -> Mark:
        return Mark(self._split.detections.boxes[row], DETECTED, *self._named(row))

    def _picture(
        self, number: int, marks: Sequence[Mark], title: str, detail: str
    ) -> Picture | None:
        """Returns the picture of an image by its number, or None where it cannot be read."""
        path = self._paths[number]
        if path in self._unreadable:
            return None
        try:
            image = load_image(path)
        except FrcnnError as error:
            self._unreadable.add(path)
            _LOGGER.warning("no picture of an error: %s", error)
            return None
        name = path.name
        if self._same_names[name] > 1:
            name = path.relative_to(os.path.commonpath(self._paths)).as_posix()
        return make_picture(image, marks, title=title, detail=detail, file=name)


def _gallery(
    name: str, meaning: str, rows: IntArray, draw: Callable[[int], Picture | None]
) -> Gallery:
    drawn = (draw(row) for row in rows.tolist())
    pictures = list(islice((each for each in drawn if each is not None), MAX_PICTURES))
    return Gallery(name, meaning, len(rows), pictures)


def _cut(iou: float) -> str:
    """Returns an IoU with two digits, not rounded: 0.499 is short of 0.50, and must look so."""
    return f"{math.floor(100 * iou + 1e-4) / 100:.2f}"
