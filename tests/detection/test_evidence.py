"""Diagnostics of the ground-truth objects before NMS."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from frcnn_cli.boxes import encode
from frcnn_cli.config import DetectConfig
from frcnn_cli.detection.evidence import object_scores
from frcnn_cli.detection.voting import postprocess_with_votes
from frcnn_cli.model.fast_rcnn import RegionOutput
from frcnn_cli.records import GroundTruthDiagnostics, Sample, as_boxes

PAPER = DetectConfig(vote=0)


def image(*objects):
    return Sample(
        "a",
        Path("a.jpg"),
        as_boxes([box for _, box in objects]),
        np.array([label for label, _ in objects], np.int64),
        np.zeros(len(objects), np.bool_),
    )


def network(proposals, moved_to, probabilities):
    """Output that moves each proposal to a box of its own for each class."""
    deltas = torch.stack([encode(proposals, boxes) for boxes in moved_to], dim=1)
    return RegionOutput(torch.log(torch.tensor(probabilities)), deltas)


def diagnosed(output, proposals, size, sample, config):
    seen = object_scores(output, proposals, size, sample, config=config, iou=0.5)
    return GroundTruthDiagnostics(*seen.numpy())


def test_by_hand():
    proposals = torch.tensor([[0.0, 0, 10, 10], [0, 0, 20, 20], [60, 60, 90, 90]])
    on_cat = torch.tensor([[0.0, 0, 10, 10]]).repeat(3, 1)
    on_dog = torch.tensor([[50.0, 50, 60, 60]]).repeat(3, 1)
    output = network(
        proposals,
        [proposals, on_cat, on_dog],  # background, cat, dog
        [[0.1, 0.7, 0.2], [0.5, 0.2, 0.3], [0.2, 0.4, 0.4]],
    )
    # Every region's cat lands on the first cat; no dog does on the dog; the second cat is too far.
    sample = image((1, (0, 0, 10, 10)), (2, (60, 60, 70, 70)), (1, (0, 0, 20, 10.5)))
    seen = diagnosed(output, proposals, (100, 100), sample, PAPER)
    assert seen.proposal_iou == pytest.approx([1, 100 / 900, 210 / 400])
    # 100 / 210 is below one half
    assert seen.candidate_score == pytest.approx([0.7, 0, 0])
    # The three boxes on the first cat coincide: 0.7 · w / (w + 1) with w = 0.7 + 0.2 + 0.4.
    voted = diagnosed(output, proposals, (100, 100), sample, DetectConfig())
    assert voted.candidate_score == pytest.approx([0.7 * 1.3 / 2.3, 0, 0])


@pytest.mark.parametrize(("least", "sum_of_scores"), [(0.05, 0.5), (0.001, 0.505)])
def test_boxes_below_a_hundredth_vote_only_where_they_are_reported(least, sum_of_scores):
    proposals = torch.tensor([[0.0, 0, 10, 10], [0, 0, 10, 10]])
    output = network(proposals, [proposals, proposals], [[0.5, 0.5], [0.995, 0.005]])
    sample, config = image((1, (0, 0, 10, 10))), DetectConfig(score_threshold=least)
    seen = diagnosed(output, proposals, (100, 100), sample, config)
    assert seen.candidate_score == pytest.approx([0.5 * sum_of_scores / (sum_of_scores + 1)])
    found = postprocess_with_votes(output, proposals, (100, 100), config)
    assert found.scores[0] == pytest.approx(seen.candidate_score[0])


def test_an_iou_of_exactly_the_threshold_matches():
    proposals = torch.tensor([[0.0, 0, 10, 10]])
    output = network(proposals, [proposals, proposals], [[0.25, 0.75]])
    sample = image((1, (0, 0, 9, 4.5)))
    seen = diagnosed(output, proposals, (9, 9), sample, PAPER)
    # The box is clipped to the image of 9 × 9 pixels.
    assert seen.candidate_score == pytest.approx([0.75])


@pytest.mark.parametrize("proposals", [0, 2])
def test_without_proposals_or_objects(proposals):
    boxes = torch.tensor([[0.0, 0, 10, 10]]).repeat(proposals, 1)
    output = RegionOutput(torch.zeros(proposals, 3), torch.zeros(proposals, 3, 4))
    for sample in (image(), image((1, (0, 0, 10, 10)))):
        seen = diagnosed(output, boxes, (100, 100), sample, DetectConfig())
        n = len(sample.boxes)
        assert seen.proposal_iou.shape == seen.candidate_score.shape == (n,)
        assert (seen.proposal_iou == (1 if proposals else 0)).all()
