"""Both rules of average precision on curves drawn by hand."""

from __future__ import annotations

import numpy as np
import pytest

from frcnn_cli.evaluation.metrics.average_precision import (
    area_under_curve,
    eleven_point,
    precision_recall,
)


def test_precision_and_recall_after_each_detection():
    precision, recall = precision_recall(np.array([True, False, True]), 4)
    np.testing.assert_allclose(precision, [1, 1 / 2, 2 / 3])
    np.testing.assert_allclose(recall, [1 / 4, 1 / 4, 1 / 2])


def test_no_detection_is_zero():
    precision, recall = precision_recall(np.zeros(0, np.bool_), 4)
    assert eleven_point(precision, recall) == area_under_curve(precision, recall) == 0


def test_a_dip_in_precision_is_filled_from_the_right():
    # Precision 1/2 at recall 1/4 is raised to 3/4, the best at a higher recall.
    precision, recall = np.array([0.5, 0.75, 0.6]), np.array([0.25, 0.5, 0.75])
    # Area: (3/4 + 3/4 + 3/5) / 4 = 21/40
    assert area_under_curve(precision, recall) == pytest.approx(21 / 40, abs=1e-12)
    # Levels 0 … 0.5 see 3/4 (6), 0.6 and 0.7 see 3/5 (2), the rest nothing: 5.7 / 11
    assert eleven_point(precision, recall) == pytest.approx(5.7 / 11, abs=1e-12)
