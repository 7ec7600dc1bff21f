"""Post-processing (§3.1): softmax scores, threshold, decoded and clipped boxes, NMS per class."""

from __future__ import annotations

import torch

from frcnn_cli import boxes as box_ops
from frcnn_cli.config import DetectConfig
from frcnn_cli.model.fast_rcnn import RegionOutput
from frcnn_cli.model.suppression import suppress
from frcnn_cli.records import Detections


def postprocess(
    output: RegionOutput, proposals: torch.Tensor, size: tuple[int, int], config: DetectConfig
) -> Detections:
    """Returns the detections of one image, inside it and sorted by score.

    Args:
        output: for the R proposals, denormalised.
        proposals: (R, 4) xyxy in pixels of the image.
        size: width and height of the image.
        config: score threshold, NMS IoU and maximum number of detections.
    """
    found = decode_candidates(output, proposals, size, config.score_threshold)
    kept = suppress(found.boxes, found.scores, found.labels, config.nms_iou, config.max_per_image)
    return found.take(kept)


def decode_candidates(
    output: RegionOutput, proposals: torch.Tensor, size: tuple[int, int], score_threshold: float
) -> Detections:
    """Returns the boxes of all classes above the threshold, before NMS and unsorted.

    Boxes are clipped to the image; those less than a pixel wide or high are dropped.

    Args:
        output: for the R proposals, denormalised.
        proposals: (R, 4) xyxy in pixels of the image.
        size: width and height of the image.
        score_threshold: in 0..1.
    """
    scores = output.class_logits.float().softmax(dim=1)[:, 1:]  # (R, K), without background
    roi, label = torch.nonzero(scores > score_threshold, as_tuple=True)  # (N,) each
    deltas = output.deltas[roi, label + 1].float()  # (N, 4)
    boxes = box_ops.clip(box_ops.decode(proposals[roi], deltas), *size)
    solid = (boxes[:, 2] - boxes[:, 0] >= 1) & (boxes[:, 3] - boxes[:, 1] >= 1)
    columns = (boxes, scores[roi, label], label + 1)
    return Detections(*(column[solid].cpu().numpy() for column in columns))
