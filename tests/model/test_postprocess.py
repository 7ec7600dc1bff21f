"""From outputs to detections, by hand."""

from __future__ import annotations

import pytest
import torch

from frcnn_cli.config import DetectConfig
from frcnn_cli.model.fast_rcnn import RegionOutput
from frcnn_cli.model.postprocess import postprocess
from support import tiny


def test_overlapping_boxes_by_hand() -> None:
    """Three RoIs of K = 2: two of class 1 overlap (IoU 0.9), the third is class 2."""
    model = tiny.model(2)
    model.delta_std.fill_(0.1)
    probabilities = torch.tensor([[0.08, 0.9, 0.02], [0.28, 0.7, 0.02], [0.18, 0.02, 0.8]])
    proposals = torch.tensor([[0.0, 0, 100, 100], [0, 0, 100, 90], [50, 50, 70, 60]])
    deltas = torch.zeros(3, 3, 4)
    deltas[2, 2, 0] = 5.0  # five deviations of 0.1: half a width to the right
    output = RegionOutput(probabilities.log(), deltas)

    config = DetectConfig(score_threshold=0.05)
    found = postprocess(model.denormalised(output), proposals, (75, 200), config)

    assert found.labels.tolist() == [1, 2]
    assert found.scores.tolist() == pytest.approx([0.9, 0.8])
    assert found.boxes.tolist() == [[0, 0, 75, 100], [60, 50, 75, 60]]  # clipped at x = 75


def test_keeps_the_best() -> None:
    left = torch.arange(20.0) * 50
    proposals = torch.stack((left, left * 0, left + 20, left * 0 + 20), dim=1)
    logits = torch.stack((torch.zeros(20), torch.linspace(-1, 1, 20)), dim=1)
    output = RegionOutput(logits, torch.zeros(20, 2, 4))
    found = postprocess(output, proposals, (2000, 100), DetectConfig(max_per_image=5))
    assert found.boxes[:, 0].tolist() == [950, 900, 850, 800, 750]
    assert sorted(found.scores, reverse=True) == list(found.scores)
    everything = postprocess(output, proposals, (2000, 100), DetectConfig(max_per_image=0))
    assert len(everything) == 20
