"""From the network's output to detections in the photograph's own pixels."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from frcnn_cli import boxes as box_ops
from frcnn_cli.config import DetectConfig
from frcnn_cli.detection.voting import least_voter, vote
from frcnn_cli.model.fast_rcnn import FastRCNN, RegionOutput
from frcnn_cli.model.suppression import suppress
from frcnn_cli.records import Detections


def postprocess(
    output: RegionOutput,
    proposals: Tensor,
    model: FastRCNN,
    size: tuple[int, int],
    config: DetectConfig,
) -> Detections:
    """Decodes, thresholds, suppresses (§3.1: softmax scores, greedy NMS for each class) and votes.

    Args:
        output: of the `proposals`, one image.
        proposals: (R, 4) xyxy in pixels of the photograph.
        model: knows how its deltas are normalised.
        size: width and height of the photograph.
        config: score threshold, NMS overlap, votes, most detections a photograph.

    Returns:
        Detections clipped to the photograph, in falling score; boxes without area are left out.
    """
    scores = output.class_logits.float().softmax(dim=1)[:, 1:]  # (R, K)
    # What is too weak to be reported still has a vote.
    least = least_voter(config.score) if config.vote else config.score
    roi, label = torch.nonzero(scores > least, as_tuple=True)
    scores = scores[roi, label]
    deltas = output.deltas[roi, label + 1].float() * model.delta_std.to(
        proposals.device
    ) + model.delta_mean.to(proposals.device)
    boxes = box_ops.clip(box_ops.decode(proposals[roi], deltas), *size)
    solid = torch.nonzero(
        (boxes[:, 2] - boxes[:, 0] >= 1) & (boxes[:, 3] - boxes[:, 1] >= 1)
    ).flatten()
    candidates = (each[solid].cpu().numpy() for each in (boxes, scores, label + 1))
    found = Detections(*candidates)
    kept = suppress(found.boxes, found.scores, found.labels, config.nms, config.max_per_image)
    if config.vote:
        found = vote(found, kept, config.vote, config.support)
        kept = np.flatnonzero(found.scores > config.score)
    return Detections(found.boxes[kept], found.scores[kept], found.labels[kept])
