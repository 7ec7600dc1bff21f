"""Sampling of RoIs for a training step, and their targets (Fast R-CNN §2.3)."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

from frcnn_cli import boxes as box_ops
from frcnn_cli.config import SamplingConfig


class RegionTargets(NamedTuple):
    """The sampled RoIs of one image.

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
    """Draws RoIs of one image: at most a quarter foreground, the rest hard background.

    Foreground overlaps an object by IoU ≥ `foreground_iou`; background has its highest IoU in the
    half-open range `background_iou`. An image with too few of either yields fewer RoIs; one without
    hard background draws from all proposals that are not foreground, so that images without objects
    train too. With OHEM more are drawn by its factor, of which the hardest train.

    Args:
        proposals: (N, 4) xyxy.
        gt_boxes: (G, 4) xyxy.
        gt_labels: (G,) in 1..K.
        config: fractions, thresholds and the number of RoIs.
        generator: the only source of randomness.
    """
    if config.add_gt:
        proposals = torch.cat((proposals, gt_boxes))
    best_iou, best_gt = best_match(proposals, gt_boxes)
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
    matched = best_gt[foreground]
    labels[: len(foreground)] = gt_labels[matched]
    deltas[: len(foreground)] = box_ops.encode(proposals[foreground], gt_boxes[matched])
    return RegionTargets(proposals[chosen], labels, deltas)


def best_match(proposals: Tensor, gt_boxes: Tensor) -> tuple[Tensor, Tensor]:
    """Returns each proposal's highest IoU (N,) with an object, and the index (N,) of the object."""
    if not len(gt_boxes):
        return torch.zeros(len(proposals)), torch.zeros(len(proposals), dtype=torch.long)
    best = box_ops.iou(proposals, gt_boxes).max(dim=1)
    return best.values, best.indices


def _draw(candidates: Tensor, n: int, generator: torch.Generator) -> Tensor:
    """Returns up to `n` of the candidates, each at most once."""
    if len(candidates) <= n:
        return candidates
    return candidates[torch.randperm(len(candidates), generator=generator)[:n]]
