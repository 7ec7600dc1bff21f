"""The multi-task loss (Fast R-CNN §2.3, Eq. 1 to 3)."""

from __future__ import annotations

from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

from frcnn_cli.model.fast_rcnn import RegionOutput


class Losses(NamedTuple):
    """Scalars of one step: `total = classification + λ · box`."""

    total: Tensor
    classification: Tensor
    box: Tensor


def smooth_l1(x: Tensor) -> Tensor:
    """Returns 0.5 x² where |x| < 1 and |x| - 0.5 elsewhere (Eq. 3)."""
    size = x.abs()
    return torch.where(size < 1, 0.5 * x.square(), size - 0.5)


def multi_task_loss(
    output: RegionOutput,
    labels: Tensor,
    targets: Tensor,
    box_weight: float = 1.0,
    count: int | None = None,
) -> Losses:
    """Returns L = mean over RoIs of L_cls(p, u) + λ [u ≥ 1] L_loc(t^u, v).

    Both terms are means over all R RoIs, background too, as in the Caffe release, so that a step
    with few objects does not weigh them more.

    Args:
        output: logits (R, K + 1) and normalised deltas (R, K + 1, 4).
        labels: u, (R,) int64; 0 is background, which has no box term.
        targets: v, (R, 4), normalised.
        box_weight: λ.
        count: RoIs that the means are over, where these R are only part of them.
    """
    count = count or max(len(labels), 1)
    logits = output.class_logits.float()
    classification = F.cross_entropy(logits, labels, reduction="sum") / count
    rois = torch.nonzero(labels > 0).flatten()
    error = output.deltas[rois, labels[rois]].float() - targets[rois]
    box = smooth_l1(error).sum() / count
    return Losses(classification + box_weight * box, classification, box)
