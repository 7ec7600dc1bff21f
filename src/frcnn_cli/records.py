"""Records that flow between the packages: annotated images in, detections out. No torch.

Boxes are xyxy float32 in 0-based continuous pixel edges of the upright image, so a width is
`x2 - x1`. Label 0 is background; classes are 1..K.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from frcnn_cli.errors import DataError

FloatArray = npt.NDArray[np.float32]
ScoreArray = npt.NDArray[np.floating]
DoubleArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]
BoolArray = npt.NDArray[np.bool_]

SIZES = {"small": (0.0, 32.0**2), "medium": (32.0**2, 96.0**2), "large": (96.0**2, np.inf)}
"""COCO's sizes: from which area of the box (included) to which (excluded), in square pixels."""


def as_boxes(boxes: npt.ArrayLike) -> FloatArray:
    """Returns `boxes` as an (N, 4) float32 array; an empty input becomes (0, 4)."""
    array = np.asarray(boxes, dtype=np.float32)
    return array.reshape(-1, 4)


def rows_by_size(areas: npt.NDArray[np.floating]) -> dict[str, BoolArray]:
    """Returns for each of `SIZES` which of the boxes with `areas` (N,) have it, (N,)."""
    return {name: (areas >= low) & (areas < high) for name, (low, high) in SIZES.items()}


@dataclass(frozen=True, slots=True)
class Sample:
    """An image and its ground truth.

    Attributes:
        image_id: unique in its data set, such as "000012".
        path: the image.
        boxes: (N, 4) float32.
        labels: (N,) int64 in 1..K.
        difficult: (N,) bool; objects that neither count for nor against a detector.
    """

    image_id: str
    path: Path
    boxes: FloatArray
    labels: IntArray
    difficult: BoolArray

    def __post_init__(self) -> None:
        n = len(self.boxes)
        if self.boxes.shape != (n, 4) or self.labels.shape != (n,) or self.difficult.shape != (n,):
            raise DataError(
                f"boxes {self.boxes.shape}, labels {self.labels.shape} and difficult "
                f"{self.difficult.shape} do not belong together",
                file=self.path,
            )


@dataclass(frozen=True, slots=True)
class Detections:
    """Detections of one image, by decreasing score.

    Attributes:
        boxes: (N, 4) float32.
        scores: (N,) in 0..1, float32 of a network or float64 of a file.
        labels: (N,) int64 in 1..K.
        places: (N,) int64, increasing along the file that they were read from, which settles the
            order of equal scores over all images; None where no file has them.
    """

    boxes: FloatArray
    scores: ScoreArray
    labels: IntArray
    places: IntArray | None = None

    def __post_init__(self) -> None:
        n = len(self.boxes)
        if self.boxes.shape != (n, 4) or self.scores.shape != (n,) or self.labels.shape != (n,):
            raise DataError(
                f"boxes {self.boxes.shape}, scores {self.scores.shape} and labels "
                f"{self.labels.shape} do not belong together"
            )
        if not (np.isfinite(self.boxes).all() and np.isfinite(self.scores).all()):
            raise DataError("a detection has a box or a score that is not a finite number")

    def __len__(self) -> int:
        return len(self.boxes)

    def take(self, rows: IntArray | BoolArray) -> Detections:
        """Returns those at the indices `rows`, or where a mask (N,) holds."""
        places = None if self.places is None else self.places[rows]
        return Detections(self.boxes[rows], self.scores[rows], self.labels[rows], places)

    def rounded(self) -> Detections:
        """Returns them as files hold them: to a hundredth of a pixel and a millionth of a score."""
        return Detections(
            np.round(self.boxes.astype(np.float64), 2).astype(np.float32),
            np.round(self.scores.astype(np.float64), 6),
            self.labels,
        )

    @classmethod
    def empty(cls) -> Detections:
        """Returns no detections."""
        return cls(as_boxes([]), np.zeros(0, np.float32), np.zeros(0, np.int64))


@dataclass(frozen=True, slots=True)
class OperatingPoint:
    """A score threshold, and precision and recall over all classes together.

    Attributes:
        score: the lowest that is still reported.
        precision: share of the reported detections that are right, in 0..1.
        recall: share of the objects that are found, in 0..1.
    """

    score: float
    precision: float
    recall: float

    @property
    def f1(self) -> float:
        """Harmonic mean of precision and recall, in 0..1."""
        both = self.precision + self.recall
        return 2 * self.precision * self.recall / both if both else 0.0


@dataclass(frozen=True, slots=True)
class Calibration:
    """Map from scores to probabilities of being right, found on images not trained on.

    Platt scaling of the log odds: a score with odds o = s / (1 - s) becomes the probability with
    odds o^slope · e^offset. It increases with s, so the order of detections stays.

    Attributes:
        slope: above 0.
        offset: of the log odds.
        threshold: where detections are confident: the calibrated score with the highest F1.
        split: name of the split that it was found on.
        images: in that split.
    """

    slope: float
    offset: float
    threshold: OperatingPoint
    split: str
    images: int

    def __post_init__(self) -> None:
        if not (0 < self.slope < np.inf and np.isfinite(self.offset)):
            raise ValueError(f"slope {self.slope:g} and offset {self.offset:g} calibrate nothing")

    def calibrated(self, score: float) -> float:
        """Returns the probability that a detection with `score` is right."""
        return float(_scale_odds(score, self.slope, self.offset))

    def raw(self, probability: float) -> float:
        """Returns the score that becomes `probability`."""
        return float(_scale_odds(probability, 1 / self.slope, -self.offset / self.slope))

    def apply(self, scores: ScoreArray) -> ScoreArray:
        """Returns `calibrated` of each of the scores (N,), in their type."""
        return _scale_odds(scores, self.slope, self.offset).astype(scores.dtype)


def _scale_odds(p: npt.ArrayLike, slope: float, offset: float) -> npt.NDArray[np.float64]:
    """Returns the probabilities with odds o^slope · e^offset, where p in 0..1 has the odds o."""
    values = np.asarray(p, np.float64).clip(0, 1)
    with np.errstate(divide="ignore", over="ignore"):  # 0 and 1 stay what they are
        log_odds = slope * (np.log(values) - np.log1p(-values)) + offset
        return np.asarray(1 / (1 + np.exp(-log_odds)))


@dataclass(frozen=True, slots=True)
class GroundTruthDiagnostics:
    """Overlaps of proposals and candidate boxes with the N objects of an image, before NMS.

    Attributes:
        proposal_iou: (N,) float32, highest IoU of a proposal with the object; 0 without proposals.
        candidate_score: (N,) float32 in 0..1, highest score of a box that matches the object, after
            voting if detections vote, before threshold and NMS; 0 if no box matches.
    """

    proposal_iou: FloatArray
    candidate_score: FloatArray


@dataclass(frozen=True, slots=True)
class DetectedImage:
    """One image's entry in `boxes.json`.

    Attributes:
        file: the path as the user gave it.
        width: pixels of the upright image.
        height: pixels of the upright image.
        proposals: how many regions were classified.
        detections: what was found.
        seconds: wall time of each step ("decode", "proposals", "network", "postprocess").
        diagnostics: what the detector saw of the ground truth, where that was asked for; not in
            the entry.
        time: seconds from the start of a video, of one of its frames.
    """

    file: str
    width: int
    height: int
    proposals: int
    detections: Detections
    seconds: Mapping[str, float] = field(default_factory=dict)
    diagnostics: GroundTruthDiagnostics | None = None
    time: float | None = None

    def to_json(self, classes: Sequence[str]) -> dict[str, Any]:
        """Returns the entry of format `frcnn.detections/1`; `classes[k - 1]` names label k."""
        found = self.detections
        return {
            "file": self.file,
            **({} if self.time is None else {"time": round(self.time, 3)}),
            "width": self.width,
            "height": self.height,
            "proposals": self.proposals,
            "seconds": {step: round(value, 4) for step, value in self.seconds.items()},
            "detections": [
                {
                    "label": classes[int(label) - 1],
                    "category_id": int(label),
                    "score": round(float(score), 6),
                    "box": [round(float(edge), 2) for edge in box],
                }
                for box, score, label in zip(found.boxes, found.scores, found.labels, strict=True)
            ],
        }
