"""Sampling of a step's RoIs (§2.3)."""

from __future__ import annotations

import pytest
import torch

from frcnn_cli.config import SamplingConfig
from frcnn_cli.model.targets import (
    sample_rois,
)

OBJECT = torch.tensor([[0.0, 0, 100, 100]])
LABEL = torch.tensor([7])


def boxes_with_iou(iou: float, n: int) -> torch.Tensor:
    """Boxes inside OBJECT that cover `iou` of it."""
    return torch.tensor([[0.0, 0.0, 100.0, 100.0 * iou]]).repeat(n, 1)


def draw(proposals: torch.Tensor, config: SamplingConfig, seed: int = 0, gt: torch.Tensor = OBJECT):
    generator = torch.Generator().manual_seed(seed)
    return sample_rois(proposals, gt, LABEL[: len(gt)], config, generator)


def test_a_quarter_is_foreground_and_background_is_hard() -> None:
    proposals = torch.cat(
        [boxes_with_iou(0.05, 300), boxes_with_iou(0.3, 300), boxes_with_iou(0.8, 300)]
    )
    targets = draw(proposals, SamplingConfig(rois_per_image=64))
    assert len(targets.rois) == 64
    assert (targets.labels == 7).sum() == 16
    assert set(targets.labels.tolist()) == {0, 7}
    # No background RoI lies below IoU 0.1.
    heights = targets.rois[targets.labels == 0][:, 3]
    assert torch.equal(heights, torch.full((48,), 30.0))


def test_hard_examples_are_chosen_from_more() -> None:
    proposals = torch.cat([boxes_with_iou(0.3, 300), boxes_with_iou(0.8, 300)])
    targets = draw(proposals, SamplingConfig(rois_per_image=64, ohem_factor=4))
    assert len(targets.rois) == 256
    assert (targets.labels == 7).sum() == 64


def test_thresholds_are_half_open() -> None:
    proposals = torch.cat([boxes_with_iou(0.5, 1), boxes_with_iou(0.1, 1), boxes_with_iou(0.09, 1)])
    targets = draw(proposals, SamplingConfig(rois_per_image=8))
    assert targets.labels.tolist() == [7, 0]
    assert targets.rois[:, 3].tolist() == [50.0, pytest.approx(10.0)]


def test_too_few_proposals_give_fewer_rois_each_once() -> None:
    proposals = torch.cat([boxes_with_iou(0.8, 3), boxes_with_iou(0.3, 5)])
    assert len(draw(proposals, SamplingConfig(rois_per_image=64)).rois) == 8


def test_an_image_without_objects_gives_background() -> None:
    targets = draw(boxes_with_iou(0.3, 100), SamplingConfig(), gt=torch.zeros(0, 4))
    assert len(targets.rois) == 64
    assert not targets.labels.any()
    assert not targets.deltas.any()


def test_deltas_by_hand() -> None:
    """From a box 10 to the left of an object twice as high: dx 0.1 of its width, dh log 2."""
    roi = torch.tensor([[-10.0, 0, 90, 50]])
    targets = draw(roi, SamplingConfig(foreground_iou=0.4, background_iou=(0.1, 0.4)))
    assert targets.labels.tolist() == [7]
    assert targets.deltas[0].tolist() == pytest.approx([0.1, 0.5, 0.0, 0.6931472])


def test_gt_boxes_join_when_asked() -> None:
    assert draw(torch.zeros(0, 4), SamplingConfig(add_gt=True)).labels.tolist() == [7]
    assert not len(draw(torch.zeros(0, 4), SamplingConfig()).labels)


def test_the_seed_decides() -> None:
    proposals = torch.rand(500, 4) * 20 + torch.tensor([0.0, 0, 60, 60])
    one, same, other = (draw(proposals, SamplingConfig(), seed) for seed in (1, 1, 2))
    assert torch.equal(one.rois, same.rois)
    assert not torch.equal(one.rois, other.rois)
