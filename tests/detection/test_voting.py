"""Box voting: numbers by hand, and what must hold for any boxes."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from frcnn_cli.config import DetectConfig
from frcnn_cli.detection.voting import postprocess_with_votes, vote
from frcnn_cli.model.fast_rcnn import RegionOutput
from frcnn_cli.model.suppression import suppress
from frcnn_cli.records import Detections


def detections(rows: list[tuple[float, float, float, float, float, int]]) -> Detections:
    table = np.array(rows, np.float64).reshape(-1, 6)
    return Detections(
        table[:, :4].astype(np.float32), table[:, 4].astype(np.float32), table[:, 5].astype(int)
    )


def test_the_mean_and_the_score_by_hand() -> None:
    candidates = detections(
        [
            (0, 0, 10, 10, 0.8, 1),
            (0, 0, 10, 14, 0.2, 1),  # IoU 10 / 14: votes
            (0, 0, 10, 25, 0.5, 1),  # IoU 0.4: does not
            (0, 0, 10, 10, 0.9, 2),  # another class
        ]
    )
    found = vote(candidates, np.array([3, 0]), iou=0.5, support=1.0)
    assert found.labels.tolist() == [2, 1]
    np.testing.assert_allclose(found.boxes, [[0, 0, 10, 10], [0, 0, 10, 10.8]], rtol=1e-6)
    np.testing.assert_allclose(found.scores, [0.9 * 0.9 / 1.9, 0.8 * 1.0 / 2.0], rtol=1e-6)


def test_scores_may_stay() -> None:
    candidates = detections([(0, 0, 10, 10, 0.8, 1), (0, 0, 10, 14, 0.2, 1)])
    found = vote(candidates, np.array([0]), iou=0.5, support=0.0)
    assert found.scores.tolist() == pytest.approx([0.8])


def test_boxes_with_many_votes_come_first() -> None:
    alone = [(0.0, 0.0, 10.0, 10.0, 0.8, 1)]
    crowd = [(50.0, 50.0, 60.0, 60.0 + i / 100, 0.7, 1) for i in range(5)]
    found = vote(detections(alone + crowd), np.array([0, 1]), iou=0.5, support=5.0)
    assert found.boxes[0, 0] == 50
    assert (np.diff(found.scores) <= 0).all()


@pytest.mark.parametrize("seed", range(5))
def test_boxes_stay_among_their_voters(seed: int) -> None:
    random = np.random.default_rng(seed)
    corners = random.uniform(0, 60, (80, 2))
    boxes = np.concatenate((corners, corners + random.uniform(5, 40, (80, 2))), axis=1)
    scores = random.uniform(0.01, 1, 80)
    labels = random.integers(1, 3, 80)
    candidates = Detections(boxes.astype(np.float32), scores.astype(np.float32), labels)
    kept = suppress(candidates.boxes, candidates.scores, candidates.labels, 0.3, 100)
    found = vote(candidates, kept, 0.5, 5.0)
    assert len(found) == len(kept)
    assert (found.boxes >= candidates.boxes.min(0) - 1e-3).all()
    assert (found.boxes <= candidates.boxes.max(0) + 1e-3).all()
    # Nobody's score grows.
    assert found.scores.max() <= candidates.scores.max()
    # With nobody near enough, boxes stay where they are.
    alone = vote(candidates, kept, 1.0, 0.0)
    np.testing.assert_allclose(alone.boxes, candidates.boxes[kept], rtol=1e-5)


def test_nothing() -> None:
    assert len(vote(detections([]), np.zeros(0, np.int64), 0.5, 5.0)) == 0


def test_boxes_below_the_score_threshold_vote() -> None:
    """The second box (0.03, under the threshold) overlaps the first by 0.9, and votes."""
    probabilities = torch.tensor([[0.1, 0.9], [0.97, 0.03], [0.92, 0.08]])
    proposals = torch.tensor([[0.0, 0, 100, 100], [0, 0, 100, 90], [200, 0, 260, 60]])
    output = RegionOutput(probabilities.log(), torch.zeros(3, 2, 4))

    config = DetectConfig(score_threshold=0.05)
    found = postprocess_with_votes(output, proposals, (300, 200), config)

    # The third has nobody but itself: 0.08² / 1.08 is under the threshold too.
    assert found.scores.tolist() == pytest.approx([0.9 * 0.93 / 1.93])
    assert found.boxes.tolist() == [pytest.approx([0, 0, 100, 100 - 10 * 0.03 / 0.93])]
