"""Diagnostics of ground-truth objects: how proposals and box candidates cover them before NMS."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from frcnn_cli import boxes as box_ops
from frcnn_cli.config import DetectConfig
from frcnn_cli.detection.voting import voter_threshold
from frcnn_cli.model.fast_rcnn import RegionOutput
from frcnn_cli.records import Sample
from frcnn_cli.runtime.device import upload


def object_scores(
    output: RegionOutput,
    proposals: Tensor,
    size: tuple[int, int],
    sample: Sample,
    *,
    config: DetectConfig,
    iou: float,
) -> Tensor:
    """Returns (2, G): per ground-truth object the best proposal IoU and the best matching score.

    The R × K candidates are reduced to these two numbers, so that a whole split fits in memory. The
    score is that of the best matching box, after voting if detections vote. A GPU is not waited
    for.

    Args:
        output: for the R proposals, denormalised.
        proposals: (R, 4) xyxy in pixels of the image.
        size: width and height of the image.
        sample: the image's ground truth, G objects.
        config: score threshold, and how boxes vote.
        iou: IoU from which a box matches an object.
    """
    device = proposals.device
    gt_boxes = upload(sample.boxes, device).to(proposals.dtype)
    best_iou = proposals.new_zeros(len(gt_boxes))  # (G,)
    best_score = proposals.new_zeros(len(gt_boxes))
    if len(proposals) and len(gt_boxes):
        best_iou = box_ops.iou(gt_boxes, proposals).amax(dim=1)
        scores = output.class_logits.float().softmax(dim=1)
        for label in set(sample.labels.tolist()):
            mine = upload(np.flatnonzero(sample.labels == label), device)
            decoded = box_ops.decode(proposals, output.deltas[:, label].float())
            boxes = box_ops.clip(decoded, *size)
            matching = box_ops.iou(gt_boxes[mine], boxes) >= iou  # (objects, R)
            best, region = (scores[:, label] * matching).max(dim=1)
            best_score[mine] = best * _vote_factor(boxes, scores[:, label], region, config)
    return torch.stack((best_iou, best_score))


def _vote_factor(boxes: Tensor, scores: Tensor, regions: Tensor, config: DetectConfig) -> Tensor:
    """Returns the factors (M,) by which `vote` rescores the M of a class's R boxes in `regions`."""
    if not (config.vote and config.support):
        return torch.ones_like(scores[regions])
    votes = (box_ops.iou(boxes[regions], boxes) >= config.vote) & (
        scores > voter_threshold(config.score_threshold)
    )
    sums = (scores * votes).sum(dim=1)
    return sums / (sums + config.support)
