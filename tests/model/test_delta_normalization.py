"""Mean and deviation of box targets, by hand (§2.3)."""

from __future__ import annotations

import pytest
import torch

from frcnn_cli.model.delta_normalization import (
    class_target_statistics,
    normalize_deltas,
    target_statistics,
)

OBJECT = torch.tensor([[0.0, 0, 100, 100]])


def test_target_statistics_by_hand() -> None:
    """Two foreground boxes, shifted by ∓10 of width 100: dx is ±0.1, mean 0, deviation 0.1."""
    proposals = torch.tensor([[-10.0, 0, 90, 100], [10.0, 0, 110, 100], [0.0, 0, 100, 10]])
    mean, std = target_statistics([(proposals, OBJECT)], 0.5)
    assert mean.tolist() == pytest.approx([0, 0, 0, 0], abs=1e-6)
    assert std[0].item() == pytest.approx(0.1)
    none = target_statistics([(proposals, torch.zeros(0, 4))], 0.5)
    assert none[0].tolist() == [0.0] * 4
    assert none[1].tolist() == [1.0] * 4


def test_statistics_of_a_class_by_hand() -> None:
    """Class 1: the object itself (deltas 0) and a region a fifth of its width to the left.

    Flipped copies count too, so the mean in x is 0.
    """
    objects = torch.tensor([[10.0, 10, 20, 20]])
    regions = torch.tensor([[8.0, 10, 18, 20], [50, 50, 60, 60]])
    images = [(regions, objects, torch.tensor([1]))]
    mean, deviation = class_target_statistics(images, 2, 0.5)
    assert mean.tolist() == [[0.0] * 4] * 3
    # dx is 0.2, -0.2, 0, 0 over region and object, flipped and not.
    assert deviation[1, 0].item() == pytest.approx((0.08 / 4) ** 0.5)
    assert deviation[1, 1:].max().item() < 1e-3
    assert deviation[2].tolist() == [1.0] * 4


def test_normalised_by_hand_for_all_classes_and_for_each() -> None:
    deltas, labels = torch.tensor([[1.0, 2, 3, 4], [1, 1, 1, 1]]), torch.tensor([1, 0])
    ones, twos = torch.ones(4), torch.full((4,), 2.0)
    assert normalize_deltas(deltas, labels, ones, twos).tolist() == [[0, 0.5, 1, 1.5], [0, 0, 0, 0]]
    mean, deviation = torch.stack((twos, ones)), torch.stack((twos, ones))
    each = normalize_deltas(deltas, labels, mean, deviation)
    assert each.tolist() == [[0, 1, 2, 3], [-0.5, -0.5, -0.5, -0.5]]
