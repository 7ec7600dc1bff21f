"""Normalization of box targets to mean 0 and deviation 1 (Fast R-CNN §2.3)."""

from __future__ import annotations

from collections.abc import Iterable

import torch
from torch import Tensor

from frcnn_cli import boxes as box_ops
from frcnn_cli.model.targets import best_match


def normalize_deltas(deltas: Tensor, labels: Tensor, mean: Tensor, deviation: Tensor) -> Tensor:
    """Returns normalised deltas (R, 4), which the box layer regresses.

    Args:
        deltas: (R, 4), not normalised.
        labels: (R,), classes of the RoIs.
        mean: (4,), or (K + 1, 4) per class.
        deviation: (4,) or (K + 1, 4), as `mean`.
    """
    if mean.ndim == 2:
        mean, deviation = mean[labels], deviation[labels]
    return (deltas - mean) / deviation


def target_statistics(
    pairs: Iterable[tuple[Tensor, Tensor]], foreground_iou: float
) -> tuple[Tensor, Tensor]:
    """Returns mean (4,) and deviation (4,) of the deltas of all foreground proposals (§2.3).

    Args:
        pairs: per image, proposals (N, 4) and ground-truth boxes (G, 4).
        foreground_iou: IoU from which a proposal is foreground.

    Returns:
        Zeros and ones where no proposal is foreground.
    """
    count, total, squares = 0, torch.zeros(4).double(), torch.zeros(4).double()
    for proposals, gt_boxes in pairs:
        best_iou, best_gt = best_match(proposals, gt_boxes)
        chosen = best_iou >= foreground_iou
        deltas = box_ops.encode(proposals[chosen], gt_boxes[best_gt[chosen]]).double()
        count += len(deltas)
        total += deltas.sum(0)
        squares += deltas.square().sum(0)
    if count < 2:
        return torch.zeros(4), torch.ones(4)
    mean = total / count
    deviation = (squares / count - mean.square()).clamp(min=1e-8).sqrt()
    return mean.float(), deviation.float()


def class_target_statistics(
    images: Iterable[tuple[Tensor, Tensor, Tensor]], num_classes: int, foreground_iou: float
) -> tuple[Tensor, Tensor]:
    """Returns mean (K + 1, 4) and deviation (K + 1, 4) of each class's deltas (Caffe release).

    Objects count as proposals, and each image counts flipped too.

    Args:
        images: per image, proposals (N, 4), ground-truth boxes (G, 4) and labels (G,).
        num_classes: K.
        foreground_iou: IoU from which a proposal is foreground.

    Returns:
        Zeros and ones for a class without foreground, and for background.
    """
    count = torch.zeros(num_classes + 1, 1).double()
    total, squares = (torch.zeros(num_classes + 1, 4).double() for _ in range(2))
    for proposals, gt_boxes, gt_labels in images:
        candidates = torch.cat((proposals, gt_boxes))
        best_iou, best_gt = best_match(candidates, gt_boxes)
        chosen = best_iou >= foreground_iou
        matched = best_gt[chosen]
        deltas = box_ops.encode(candidates[chosen], gt_boxes[matched]).double()
        flipped = deltas * torch.tensor([-1.0, 1, 1, 1]).double()
        labels = gt_labels[matched]
        for each in (deltas, flipped):
            total.index_add_(0, labels, each)
            squares.index_add_(0, labels, each.square())
            count.index_add_(0, labels, torch.ones(len(each), 1).double())
    mean = total / count.clamp(min=1)
    deviation = (squares / count.clamp(min=1) - mean.square()).clamp(min=1e-8).sqrt()
    known = count > 1
    return torch.where(known, mean, 0).float(), torch.where(known, deviation, 1).float()
