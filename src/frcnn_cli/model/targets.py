"""Which proposals a training step looks at, and what they should become (Fast R-CNN §2.3)."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

import torch
from torch import Tensor

from frcnn_cli import boxes as box_ops
from frcnn_cli.config import SamplingConfig


class RegionTargets(NamedTuple):
    """The sampled RoIs of one photograph.

    Attributes:
        rois: (R, 4) xyxy.
        labels: (R,) int64; 0 is background.
        deltas: (R, 4), from each RoI to its object, not normalised; 0 for background.
    """

    rois: Tensor
    labels: Tensor
    deltas: Tensor


def sample_rois(
    proposals: Tensor,
    gt_boxes: Tensor,
    gt_labels: Tensor,
    config: SamplingConfig,
    generator: torch.Generator,
) -> RegionTargets:
    """Draws a photograph's RoIs: a quarter foreground at most, the rest hard background.

    Foreground overlaps an object by IoU ≥ `foreground_iou`; background has its highest IoU in
    `background_iou`, half-open. Where a photograph has too few of a kind, fewer RoIs come out; one
    without hard background draws from all proposals that are not foreground, so that photographs
    without objects train too. With `ohem_factor` as many more are drawn, of which the
    hardest will train.

    Args:
        proposals: (N, 4) xyxy.
        gt_boxes: (G, 4) xyxy.
        gt_labels: (G,) in 1..K.
        config: fractions, thresholds and the number of RoIs.
        generator: the only source of chance.
    """
    if config.add_gt:
        proposals = torch.cat((proposals, gt_boxes))
    best_iou, best_gt = _best_match(proposals, gt_boxes)
    low, high = config.background_iou
    foreground = torch.nonzero(best_iou >= config.foreground_iou).flatten()
    background = torch.nonzero((best_iou >= low) & (best_iou < high)).flatten()
    if not len(background):
        background = torch.nonzero(best_iou < high).flatten()
    wanted = config.rois_per_image * max(config.ohem_factor, 1)
    foreground = _draw(foreground, round(wanted * config.foreground_fraction), generator)
    background = _draw(background, wanted - len(foreground), generator)
    chosen = torch.cat((foreground, background))
    labels = torch.zeros(len(chosen), dtype=torch.long)
    deltas = torch.zeros(len(chosen), 4)
    if len(foreground):
        matched = best_gt[foreground]
        labels[: len(foreground)] = gt_labels[matched]
        deltas[: len(foreground)] = box_ops.encode(proposals[foreground], gt_boxes[matched])
    return RegionTargets(proposals[chosen], labels, deltas)


def of_ignored(proposals: Tensor, boxes: Tensor, ignored: Tensor, foreground_iou: float) -> Tensor:
    """Returns which proposals (N,) are of no use: they show what nobody is to learn.

    They overlap an ignored box by `foreground_iou`, and none of the others as much.

    Args:
        proposals: (N, 4) xyxy.
        boxes: (G, 4) xyxy.
        ignored: (G,) bool.
        foreground_iou: least IoU of a proposal with its object.
    """
    near = box_ops.iou(proposals, boxes) >= foreground_iou
    return near[:, ignored].any(dim=1) & ~near[:, ~ignored].any(dim=1)


def normalised(deltas: Tensor, labels: Tensor, mean: Tensor, deviation: Tensor) -> Tensor:
    """Returns the deltas (R, 4) of RoIs of these classes (R,) as the box layer learns them.

    Args:
        deltas: not normalised.
        labels: of the RoIs.
        mean: (4,), or (K + 1, 4) of each class.
        deviation: of the same shape.
    """
    if mean.ndim == 2:
        mean, deviation = mean[labels], deviation[labels]
    return (deltas - mean) / deviation


def target_statistics(
    pairs: Iterable[tuple[Tensor, Tensor]], foreground_iou: float
) -> tuple[Tensor, Tensor]:
    """Returns mean (4,) and deviation (4,) of the deltas of all foreground proposals (§2.3).

    Args:
        pairs: for each photograph, proposals (N, 4) and ground-truth boxes (G, 4).
        foreground_iou: least IoU of a proposal that regresses.

    Returns:
        Zeros and ones where no proposal is foreground.
    """
    count, total, squares = 0, torch.zeros(4).double(), torch.zeros(4).double()
    for proposals, gt_boxes in pairs:
        best_iou, best_gt = _best_match(proposals, gt_boxes)
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
    photographs: Iterable[tuple[Tensor, Tensor, Tensor]], num_classes: int, foreground_iou: float
) -> tuple[Tensor, Tensor]:
    """Returns mean (K + 1, 4) and deviation (K + 1, 4) of each class's deltas (Caffe release).

    Objects count as proposals, and photographs as flipped too.

    Args:
        photographs: for each, proposals (N, 4), ground-truth boxes (G, 4) and labels (G,).
        num_classes: K.
        foreground_iou: least IoU of a proposal that regresses.

    Returns:
        Zeros and ones for a class without foreground, and for background.
    """
    count = torch.zeros(num_classes + 1, 1).double()
    total, squares = (torch.zeros(num_classes + 1, 4).double() for _ in range(2))
    for proposals, gt_boxes, gt_labels in photographs:
        candidates = torch.cat((proposals, gt_boxes))
        best_iou, best_gt = _best_match(candidates, gt_boxes)
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


def _best_match(proposals: Tensor, gt_boxes: Tensor) -> tuple[Tensor, Tensor]:
    """Returns each proposal's highest IoU (N,) and the object (N,) it has it with."""
    if not len(gt_boxes):
        return torch.zeros(len(proposals)), torch.zeros(len(proposals), dtype=torch.long)
    best = box_ops.iou(proposals, gt_boxes).max(dim=1)
    return best.values, best.indices


def _draw(candidates: Tensor, n: int, generator: torch.Generator) -> Tensor:
    """Returns up to `n` of the candidates, each at most once."""
    if len(candidates) <= n:
        return candidates
    return candidates[torch.randperm(len(candidates), generator=generator)[:n]]
