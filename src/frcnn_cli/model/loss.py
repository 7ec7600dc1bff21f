"""The multi-task loss (Fast R-CNN §2.3, Eq. 1 to 3)."""

from __future__ import annotations

from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

from frcnn_cli.model.fast_rcnn import RegionOutput


class Losses(NamedTuple):
    """Scalars: `total = classification + λ · box`."""

    total: Tensor
    classification: Tensor
    box: Tensor


def smooth_l1(x: Tensor) -> Tensor:
    """Returns 0.5 x² where |x| < 1 and |x| - 0.5 elsewhere (Eq. 3); any shape, kept."""
    size = x.abs()
    return torch.where(size < 1, 0.5 * x.square(), size - 0.5)


def region_losses(
    output: RegionOutput, labels: Tensor, targets: Tensor, label_smoothing: float = 0.0
) -> tuple[Tensor, Tensor]:
    """Returns L_cls(p, u) and [u ≥ 1] L_loc(t^u, v) of each RoI, both (R,).

    Args:
        output: logits (R, K + 1) and normalised deltas (R, K + 1, 4).
        labels: u, (R,) int64; 0 is background, which has no box term.
        targets: v, (R, 4), normalised.
        label_smoothing: ε in [0, 1): the target of the true class is 1 - ε, and ε is spread over
            all K + 1 (Szegedy et al. 2016, §7).
    """
    logits = output.class_logits.float()
    classification = F.cross_entropy(  # (R,)
        logits, labels, reduction="none", label_smoothing=label_smoothing
    )
    own = labels[:, None, None].expand(-1, 1, 4)
    error = output.deltas.gather(1, own)[:, 0].float() - targets  # (R, 4)
    return classification, torch.where(labels > 0, smooth_l1(error).sum(1), 0.0)


def multi_task_loss(
    output: RegionOutput,
    labels: Tensor,
    targets: Tensor,
    box_weight: float = 1.0,
    *,
    count: int | None = None,
    label_smoothing: float = 0.0,
) -> Losses:
    """Returns L = mean over RoIs of L_cls(p, u) + λ [u ≥ 1] L_loc(t^u, v).

    Both terms are means over all R RoIs, including background, as in the Caffe release, so that
    few foreground RoIs do not weigh more.

    Args:
        output: as in `region_losses`.
        labels: u, (R,) int64.
        targets: v, (R, 4), normalised.
        box_weight: λ.
        count: number of RoIs in the means, those of the whole mini-batch where these R are only a
            part of it; None is R.
        label_smoothing: ε.
    """
    count = count or max(len(labels), 1)
    terms = region_losses(output, labels, targets, label_smoothing)
    classification, box = (term.sum() / count for term in terms)
    return Losses(classification + box_weight * box, classification, box)
