"""The multi-task loss against numbers worked by hand (§2.3, Eq. 1 to 3)."""

from __future__ import annotations

import math

import pytest
import torch

from frcnn_cli.model.fast_rcnn import RegionOutput
from frcnn_cli.model.loss import multi_task_loss, region_losses, smooth_l1


def test_smooth_l1() -> None:
    x = torch.tensor([0.0, 0.5, -0.5, 1.0, -3.0])
    assert smooth_l1(x).tolist() == [0.0, 0.125, 0.125, 0.5, 2.5]


def test_both_terms_by_hand() -> None:
    """Two RoIs of K = 2: one of class 2, one of background.

    Logits (0, 0, 0) and (log 2, 0, 0) give log losses log 3 and log(4/2) = log 2. The object's
    deltas miss by (0.5, 0, 2, 0): 0.125 + 1.5 = 1.625; background has no box term, though its
    deltas are far off. Both sums are divided by 2 RoIs.
    """
    logits = torch.tensor([[0.0, 0, 0], [math.log(2), 0, 0]])
    deltas = torch.full((2, 3, 4), 100.0)
    deltas[0, 2] = torch.tensor([0.5, 1.0, 2.0, 0.0])
    labels = torch.tensor([2, 0])
    targets = torch.tensor([[0.0, 1.0, 0.0, 0.0], [9.0, 9.0, 9.0, 9.0]])

    losses = multi_task_loss(RegionOutput(logits, deltas), labels, targets, box_weight=3.0)

    assert losses.classification.item() == pytest.approx((math.log(3) + math.log(2)) / 2)
    assert losses.box.item() == pytest.approx(1.625 / 2)
    assert losses.total.item() == pytest.approx(
        losses.classification.item() + 3.0 * losses.box.item()
    )


def test_smoothed_labels_by_hand() -> None:
    """ε = 0.3 of K + 1 = 3: probabilities 4/8, 2/8, 2/8 are to be 0.8, 0.1, 0.1.

    -0.8 log 1/2 - 0.2 log 1/4 = 1.2 log 2.
    """
    output = RegionOutput(torch.tensor([[math.log(2), 0, 0]]), torch.zeros(1, 3, 4))
    labels, targets = torch.tensor([0]), torch.zeros(1, 4)
    losses = multi_task_loss(output, labels, targets, label_smoothing=0.3)
    assert losses.classification.item() == pytest.approx(1.2 * math.log(2))
    classification, box = region_losses(output, labels, targets)
    assert classification.tolist() == pytest.approx([math.log(2)])
    assert box.tolist() == [0]


def test_gradient_reaches_only_the_true_class() -> None:
    deltas = torch.ones(2, 3, 4, requires_grad=True)
    output = RegionOutput(torch.zeros(2, 3), deltas)
    multi_task_loss(output, torch.tensor([1, 0]), torch.zeros(2, 4)).total.backward()
    reached = deltas.grad.abs().sum(-1) > 0
    assert reached.tolist() == [[False, True, False], [False, False, False]]


def test_background_alone() -> None:
    output = RegionOutput(torch.zeros(3, 5), torch.ones(3, 5, 4))
    losses = multi_task_loss(output, torch.zeros(3, dtype=torch.long), torch.zeros(3, 4))
    assert losses.box.item() == 0
    assert losses.total.item() == pytest.approx(math.log(5))
