"""Calibration: whether a score is the probability of being right, and what makes it one."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np
import torch
import torch.nn.functional as F

from frcnn_cli.evaluation.analysis.operating_point import best_operating_point, operating_point
from frcnn_cli.evaluation.metrics.voc import MatchedSplit
from frcnn_cli.records import Calibration, OperatingPoint

_BINS = 10
_LOWEST = 1e-6
"""What scores are rounded to; the odds of 0 and 1 have no logarithm."""


@dataclass(frozen=True, slots=True)
class ReliabilityBin:
    """The detections whose scores lie in a tenth of 0..1.

    Attributes:
        low: where the tenth begins.
        high: where it ends.
        score: the mean of their scores.
        right: share of them that are right, in 0..1.
        detections: count of those that count.
    """

    low: float
    high: float
    score: float
    right: float
    detections: int


def reliability(split: MatchedSplit) -> tuple[ReliabilityBin, ...]:
    """Returns the bins that have detections, by increasing score; () if a score is not in 0..1."""
    scores, right = split.counted()
    if len(scores) and not (scores.min() >= 0 and scores.max() <= 1):
        return ()
    bins = np.minimum((scores * _BINS).astype(np.int64), _BINS - 1)
    return tuple(
        ReliabilityBin(
            each / _BINS,
            (each + 1) / _BINS,
            float(scores[bins == each].mean(dtype=np.float64)),
            float(right[bins == each].mean()),
            int((bins == each).sum()),
        )
        for each in np.unique(bins).tolist()
    )


def fit_calibration(split: MatchedSplit, name: str) -> Calibration | None:
    """Fits Platt scaling of the log odds to the detections of a split, and finds its best F1.

    None where nothing is to be learnt: no detection is right or none is wrong, or scores do not
    increase with being right.

    Args:
        split: matched at IoU 0.5; its scores are those of votes, not calibrated.
        name: of the split.
    """
    scores, right = split.counted()
    hits = int(right.sum())
    misses = len(right) - hits
    if not hits or not misses:
        return None
    values = torch.from_numpy(scores.astype(np.float64).clip(_LOWEST, 1 - _LOWEST)).logit()
    # Platt's targets: certainty is not to be had from few detections.
    targets = torch.where(
        torch.from_numpy(right), (hits + 1) / (hits + 2), 1 / (misses + 2)
    ).double()
    line = torch.tensor([1.0, math.log(hits / misses)], dtype=torch.float64, requires_grad=True)
    optimizer = torch.optim.LBFGS([line], max_iter=200, line_search_fn="strong_wolfe")

    def loss() -> torch.Tensor:
        optimizer.zero_grad()
        value = F.binary_cross_entropy_with_logits(line[0] * values + line[1], targets)
        value.backward()  # type: ignore[no-untyped-call]
        return value

    optimizer.step(loss)  # type: ignore[no-untyped-call]
    slope, offset = line.tolist()
    unknown = OperatingPoint(0.0, 0.0, 0.0)
    try:
        scale = Calibration(slope, offset, unknown, name, len(split.objects.image_ids))
    except ValueError:
        return None
    probabilities = scale.apply(split.detections.scores)
    split = replace(split, detections=replace(split.detections, scores=probabilities))
    # Rounded down, so that the threshold that is printed is the one that is used.
    threshold = math.floor(1000 * best_operating_point(split).score) / 1000
    return replace(scale, threshold=operating_point(split, threshold))
