"""Box voting: candidates of a class move and rescore the boxes that NMS keeps.

NMS keeps the box of one proposal and drops the others that cover the same object. Their mean is a
better box (Gidaris & Komodakis, ICCV 2015), and the sum of their scores separates an object from a
single proposal that happens to look like one.
"""

from __future__ import annotations

import numpy as np
import torch

from frcnn_cli import boxes as box_ops
from frcnn_cli.config import DetectConfig
from frcnn_cli.model.fast_rcnn import RegionOutput
from frcnn_cli.model.postprocess import decode_candidates
from frcnn_cli.model.suppression import suppress
from frcnn_cli.records import Detections, IntArray

_MAX_VOTER_THRESHOLD = 0.01


def voter_threshold(score: float) -> float:
    """Returns the score above which a box votes: boxes below the threshold `score` vote too."""
    return min(score, _MAX_VOTER_THRESHOLD)


def postprocess_with_votes(
    output: RegionOutput, proposals: torch.Tensor, size: tuple[int, int], config: DetectConfig
) -> Detections:
    """Returns the detections of one image: `postprocess` with box voting after NMS.

    Args:
        output: for the R proposals, denormalised.
        proposals: (R, 4) xyxy in pixels of the image.
        size: width and height of the image.
        config: thresholds, and how boxes vote; `vote` 0: as `postprocess`.
    """
    found = decode_candidates(output, proposals, size, candidate_threshold(config))
    return suppress_and_vote(found, config)


def candidate_threshold(config: DetectConfig) -> float:
    """Returns the score above which a box is a candidate: voters may score less than detections."""
    return voter_threshold(config.score_threshold) if config.vote else config.score_threshold


def suppress_and_vote(found: Detections, config: DetectConfig) -> Detections:
    """Returns the detections of one image, from its candidates."""
    kept = suppress(found.boxes, found.scores, found.labels, config.nms_iou, config.max_per_image)
    if not config.vote:
        return found.take(kept)
    voted = vote(found, kept, config.vote, config.support)
    return voted.take(voted.scores > config.score_threshold)


def vote(candidates: Detections, kept: IntArray, iou: float, support: float) -> Detections:
    """Returns the kept boxes, moved and rescored, sorted by score.

    A kept box becomes the mean of the boxes of its class that overlap it by `iou` or more, itself
    among them, weighted by their scores. With w the sum of these scores, its own score s becomes
    s · w / (w + support).

    Args:
        candidates: N boxes before NMS.
        kept: (M,) indices of the boxes that NMS keeps.
        iou: IoU threshold in (0, 1].
        support: 0 leaves the scores.
    """
    boxes, scores = candidates.boxes[kept], candidates.scores[kept]
    labels = candidates.labels[kept]
    for label in np.unique(labels):
        ours, voters = labels == label, candidates.labels == label
        overlaps = box_ops.iou(boxes[ours], candidates.boxes[voters])
        weights = np.where(overlaps >= iou, candidates.scores[voters], np.float32(0))
        sums = weights.sum(axis=1)
        boxes[ours] = weights @ candidates.boxes[voters] / sums[:, None]
        if support:
            scores[ours] *= sums / (sums + np.float32(support))
    order = np.argsort(-scores, kind="stable")
    return Detections(boxes[order], scores[order], labels[order])
