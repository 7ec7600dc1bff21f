"""What the network saw of objects that are known to be there, before it reported detections."""

from __future__ import annotations

import torch
from torch import Tensor

from frcnn_cli import boxes as box_ops
from frcnn_cli.config import DetectConfig
from frcnn_cli.detection.voting import voter_threshold
from frcnn_cli.model.fast_rcnn import FastRCNN, RegionOutput
from frcnn_cli.records import ObjectEvidence, Sample


def see_objects(
    output: RegionOutput,
    proposals: Tensor,
    model: FastRCNN,
    size: tuple[int, int],
    sample: Sample,
    *,
    config: DetectConfig,
    iou: float = 0.5,
) -> ObjectEvidence:
    """Looks at the objects of a photograph with the network's own eyes.

    Two numbers an object are kept of the R × K candidates, so that a whole split fits in memory:
    the best region's overlap, and the score of the likeliest box that matches, voted on as
    detections are.

    Args:
        output: of the `proposals`, one image.
        proposals: (R, 4) xyxy in pixels of the photograph.
        model: knows how its deltas are normalised.
        size: width and height of the photograph.
        sample: its objects.
        config: how boxes vote, and from which score.
        iou: least IoU of a box that matches an object.
    """
    gt_boxes = torch.from_numpy(sample.boxes).to(proposals)
    best_iou = proposals.new_zeros(len(gt_boxes))
    best_score = proposals.new_zeros(len(gt_boxes))
    if len(proposals) and len(gt_boxes):
        best_iou = box_ops.iou(gt_boxes, proposals).amax(dim=1)
        scores = output.class_logits.float().softmax(dim=1)
        for label in set(sample.labels.tolist()):
            mine = torch.from_numpy(sample.labels == label).to(proposals.device)
            deltas = output.deltas[:, label].float() * model.delta_std.to(proposals.device)
            deltas += model.delta_mean.to(proposals.device)
            boxes = box_ops.clip(box_ops.decode(proposals, deltas), *size)
            matching = box_ops.iou(gt_boxes[mine], boxes) >= iou  # (objects, R)
            best, region = (scores[:, label] * matching).max(dim=1)
            best_score[mine] = best * _share(boxes, scores[:, label], region, config)
    return ObjectEvidence(best_iou.cpu().numpy(), best_score.cpu().numpy())


def _share(boxes: Tensor, scores: Tensor, regions: Tensor, config: DetectConfig) -> Tensor:
    """Returns what voting leaves of the scores of some of a class's R boxes; see `vote`."""
    if not (config.vote and config.support):
        return torch.ones_like(scores[regions])
    votes = (box_ops.iou(boxes[regions], boxes) >= config.vote) & (
        scores > voter_threshold(config.score_threshold)
    )
    sums = (scores * votes).sum(dim=1)
    return sums / (sums + config.support)
