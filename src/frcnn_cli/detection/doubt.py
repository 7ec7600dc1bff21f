"""Uncertainty of a detector about an image, to choose what to annotate next (active learning)."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from heapq import nlargest

import numpy as np

from frcnn_cli.records import DetectedImage, Detections, ScoreArray


@dataclass(frozen=True)
class DoubtfulImage:
    """An image and how unsure the detector is of it.

    Attributes:
        file: its path as it was given.
        doubt: expected number of boxes that are judged wrongly; see `doubt`.
        detections: number of boxes.
        label: the class 1..K of the box that is judged wrongly with the highest probability; 0 if
            there is no box.
        score: of that box, in 0..1; 0 if there is none.
    """

    file: str
    doubt: float
    detections: int
    label: int
    score: float


def doubt(scores: ScoreArray) -> float:
    """Returns how many of an image's boxes are judged wrongly, as the scores (N,) expect it.

    A box is judged right if that is more probable than not. With the probability p of being right,
    as a calibrated score is, the judgement is wrong with min(p, 1 - p); the sum over the boxes is
    largest for images with many boxes near 0.5 (uncertainty sampling with a sum over the boxes, as
    in Brust et al. 2019, arXiv 1809.09875).
    """
    return float(_wrong(scores).sum())


def most_doubtful(images: Iterable[DetectedImage], most: int) -> list[DoubtfulImage]:
    """Returns the images of which the detector is least sure, by decreasing doubt.

    Args:
        images: as they are detected.
        most: how many.
    """
    ranked = (_summary(image.file, image.detections) for image in images)
    return nlargest(most, ranked, key=lambda each: each.doubt)


def _summary(file: str, found: Detections) -> DoubtfulImage:
    if not len(found):
        return DoubtfulImage(file, 0.0, 0, 0, 0.0)
    worst = int(_wrong(found.scores).argmax())
    return DoubtfulImage(
        file,
        doubt(found.scores),
        len(found),
        int(found.labels[worst]),
        float(found.scores[worst]),
    )


def _wrong(scores: ScoreArray) -> ScoreArray:
    return np.minimum(scores, 1 - scores)
