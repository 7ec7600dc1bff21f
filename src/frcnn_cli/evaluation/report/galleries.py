"""The worst mistakes of a detector, as pictures that say what is wrong."""

from __future__ import annotations

import logging
import math
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt

from frcnn_cli.boxes import area, iou
from frcnn_cli.data.images import load_image
from frcnn_cli.errors import FrcnnError
from frcnn_cli.evaluation.analysis import Analysis
from frcnn_cli.evaluation.analysis.error_types import MEANT_IOU, FalseAlarm, Miss
from frcnn_cli.evaluation.metrics.matching import Outcome
from frcnn_cli.evaluation.report.html import Gallery
from frcnn_cli.evaluation.report.thumbnails import DETECTED, TRUTH, Picture, make_picture
from frcnn_cli.plotting.draw import Mark
from frcnn_cli.records import IntArray, Sample
from frcnn_cli.runtime.progress import Progress, silent

STEP = "Drawing mistakes"
A_KIND = 8
"""Pictures of each kind of mistake."""

_LOGGER = logging.getLogger(__name__)

MISSES: Mapping[Miss, tuple[str, str]] = {
    Miss.NO_PROPOSAL: ("No proposal", "No region overlaps it enough, so it was never looked at."),
    Miss.CONFUSED: ("Another class", "A box lies on it, of another class."),
    Miss.LOCALISATION: ("Badly placed", "A box of its class lies on it, too loosely."),
    Miss.SUPPRESSED: ("Suppressed", "A box that scored enough gave way to one that overlaps it."),
    Miss.LOW_SCORE: ("Below the threshold", "No box on it scored enough for its class."),
    Miss.UNDETECTED: ("No box, reason unknown", "No box lies on it; why was not recorded."),
}
"""Name and meaning of each kind of miss."""

FALSE_ALARMS: Mapping[FalseAlarm, tuple[str, str]] = {
    FalseAlarm.BACKGROUND: ("Background", "On no object, or loosely on one of another class."),
    FalseAlarm.CONFUSED: ("Another class", "On an object, but not of this class."),
    FalseAlarm.LOCALISATION: ("Badly placed", "On an object of its class, but too loosely."),
    FalseAlarm.DUPLICATE: ("Duplicate", "On an object that a higher score found already."),
}
"""Name and meaning of each kind of false alarm."""


class MistakePictures:
    """Draws the mistakes of an analysis, each photograph read when it is needed.

    Args:
        analysis: of the split.
        samples: its photographs.
    """

    def __init__(self, analysis: Analysis, samples: Sequence[Sample]) -> None:
        self._analysis = analysis
        self._paths = {sample.image_id: sample.path for sample in samples}
        self._unreadable: set[Path] = set()

    def galleries(self, progress: Progress = silent) -> tuple[list[Gallery], list[Gallery]]:
        """Returns the galleries of misses and of false alarms, one for each kind that there is."""
        analysis = self._analysis
        kinds = len(analysis.miss_kinds) + len(analysis.alarm_kinds)
        misses, alarms = [], []
        for done, miss in enumerate(analysis.miss_kinds, start=1):
            rows = analysis.misses.objects[analysis.misses.kinds == miss]
            largest = rows[np.argsort(-area(analysis.split.objects.boxes[rows]), kind="stable")]
            misses.append(self._gallery(*MISSES[miss], largest, self._miss(miss)))
            progress(STEP, done, kinds)
        for done, alarm in enumerate(analysis.alarm_kinds, start=1 + len(analysis.miss_kinds)):
            mine = np.flatnonzero(analysis.alarms.kinds == alarm)
            scores = analysis.split.detections.scores[analysis.alarms.detections[mine]]
            surest = mine[np.argsort(-scores, kind="stable")]
            alarms.append(self._gallery(*FALSE_ALARMS[alarm], surest, self._alarm(alarm)))
            progress(STEP, done, kinds)
        return [each for each in misses if each.pictures], [
            each for each in alarms if each.pictures
        ]

    def _gallery(
        self, name: str, meaning: str, rows: IntArray, draw: Callable[[int], Picture | None]
    ) -> Gallery:
        pictures: list[Picture] = []
        for row in rows.tolist():
            if len(pictures) == A_KIND:
                break
            picture = draw(row)
            if picture is not None:
                pictures.append(picture)
        return Gallery(name, meaning, len(rows), pictures)

    def _miss(self, kind: Miss) -> Callable[[int], Picture | None]:
        """Returns what draws a miss, an object row, of this kind."""

        def draw(row: int) -> Picture | None:
            objects = self._analysis.split.objects
            name = self._class_of_object(row)
            x1, y1, x2, y2 = objects.boxes[row]
            alarm = self._alarm_on(row, kind)
            marks = [self._object_mark(row)]
            if alarm is not None:
                marks.append(self._detection_mark(int(self._analysis.alarms.detections[alarm])))
            title = f"{name}, {x2 - x1:.0f} × {y2 - y1:.0f} px"
            return self._picture(
                int(objects.image[row]), marks, title, self._reason(row, kind, alarm)
            )

        return draw

    def _alarm(self, kind: FalseAlarm) -> Callable[[int], Picture | None]:
        """Returns what draws a false alarm, a row of the alarms, of this kind."""

        def draw(row: int) -> Picture | None:
            alarms, split = self._analysis.alarms, self._analysis.split
            detection, object_row = int(alarms.detections[row]), int(alarms.objects[row])
            if object_row < 0:
                object_row = self._nearest(detection)
            marks = [self._detection_mark(detection)]
            if object_row >= 0:
                marks.append(self._object_mark(object_row))
            title = self._detection_name(detection)
            if object_row < 0:
                detail = "nothing that is annotated lies there"
            else:
                overlap = f"IoU {_cut(self._overlap(object_row, detection))}"
                other = self._class_of_object(object_row)
                detail = {
                    FalseAlarm.BACKGROUND: f"{overlap} with the {other}, hardly meant for it",
                    FalseAlarm.CONFUSED: f"is {other}; {overlap}",
                    FalseAlarm.LOCALISATION: f"{overlap} with the {other}",
                    FalseAlarm.DUPLICATE: f"the {other} is found already"
                    f"{self._found_by(object_row)}; {overlap}",
                }[kind]
            return self._picture(int(split.detections.image[detection]), marks, title, detail)

        return draw

    def _reason(self, row: int, kind: Miss, alarm: int | None) -> str:
        """Returns in words why an object was missed."""
        if alarm is not None:
            detection = int(self._analysis.alarms.detections[alarm])
            verb = "is called" if kind is Miss.CONFUSED else "found loosely as"
            overlap = _cut(self._overlap(row, detection))
            return f"{verb} {self._detection_name(detection)}; IoU {overlap}"
        evidence = self._analysis.evidence
        if evidence is None or kind is Miss.UNDETECTED:
            return "no box lies on it"
        candidate = float(evidence.candidate_score[row])
        if kind is Miss.NO_PROPOSAL:
            return f"best proposal: IoU {_cut(float(evidence.proposal_iou[row]))}"
        if kind is Miss.SUPPRESSED:
            return f"its best box scored {candidate:.2f} and was suppressed"
        return f"its best box scored {candidate:.3f}" if candidate else "no region kept a box on it"

    def _alarm_on(self, object_row: int, kind: Miss) -> int | None:
        """Returns the highest-scored false alarm that explains a miss, if one does."""
        meant = {Miss.CONFUSED: FalseAlarm.CONFUSED, Miss.LOCALISATION: FalseAlarm.LOCALISATION}
        if kind not in meant:
            return None
        alarms = self._analysis.alarms
        on_it = np.flatnonzero((alarms.objects == object_row) & (alarms.kinds == meant[kind]))
        scores = self._analysis.split.detections.scores[alarms.detections[on_it]]
        return int(on_it[np.argmax(scores)])

    def _found_by(self, object_row: int) -> str:
        """Returns the score of the detection that found an object, as " at 0.97"."""
        split = self._analysis.split
        matches = split.matches[int(split.objects.labels[object_row]) - 1]
        hit = (matches.objects == object_row) & (matches.outcomes == Outcome.TRUE_POSITIVE)
        rows = matches.detections[hit]
        return f" at {float(split.detections.scores[rows[0]]):.2f}" if len(rows) else ""

    def _nearest(self, detection: int) -> int:
        """Returns the object that a detection overlaps most, or -1 where that is not much."""
        split = self._analysis.split
        rows = np.flatnonzero(split.objects.image == split.detections.image[detection])
        overlaps = iou(split.objects.boxes[rows], split.detections.boxes[[detection]])[:, 0]
        best = int(overlaps.argmax()) if len(rows) else -1
        return int(rows[best]) if best >= 0 and overlaps[best] >= MEANT_IOU else -1

    def _overlap(self, object_row: int, detection: int) -> float:
        split = self._analysis.split
        return float(
            iou(split.objects.boxes[[object_row]], split.detections.boxes[[detection]])[0, 0]
        )

    def _class_of_object(self, row: int) -> str:
        return self._analysis.split.classes[int(self._analysis.split.objects.labels[row]) - 1]

    def _detection_name(self, row: int) -> str:
        found = self._analysis.split.detections
        return f"{self._analysis.split.classes[int(found.labels[row]) - 1]} {found.scores[row]:.2f}"

    def _object_mark(self, row: int) -> Mark:
        return Mark(self._analysis.split.objects.boxes[row], TRUTH, self._class_of_object(row))

    def _detection_mark(self, row: int) -> Mark:
        name, score = self._detection_name(row).rsplit(" ", 1)
        return Mark(self._analysis.split.detections.boxes[row], DETECTED, name, score)

    def _picture(
        self, image: int, marks: Sequence[Mark], title: str, detail: str
    ) -> Picture | None:
        path = self._paths[self._analysis.split.objects.image_ids[image]]
        photograph = self._load(path)
        if photograph is None:
            return None
        return make_picture(photograph, marks, title=title, detail=detail, file=path.name)

    def _load(self, path: Path) -> npt.NDArray[np.uint8] | None:
        if path in self._unreadable:
            return None
        try:
            return load_image(path)
        except FrcnnError as error:
            self._unreadable.add(path)
            _LOGGER.warning("no picture of a mistake: %s", error)
            return None


def _cut(iou: float) -> str:
    """Returns an IoU with two digits, not rounded: 0.499 is short of 0.50, and must look so."""
    return f"{math.floor(100 * iou + 1e-4) / 100:.2f}"
