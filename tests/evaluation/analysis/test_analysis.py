"""The whole analysis of a detector's errors."""

from __future__ import annotations

import numpy as np
import pytest

from frcnn_cli.evaluation.analysis import Analysis
from frcnn_cli.evaluation.analysis.error_types import Evidence, FalseNegativeType, FalsePositiveType
from frcnn_cli.evaluation.metrics.voc import match_split
from support.samples import detected, sample

CAT, DOG = (0, 0, 10, 10), (50, 50, 60, 60)


@pytest.fixture
def split():
    """Three cats: one found at 0.9, one at 0.2 behind a false positive at 0.3, one not at all."""
    samples = [sample(name, (1, CAT)) for name in "abc"]
    found = {"a": detected((1, 0.9, CAT)), "b": detected((1, 0.3, DOG), (1, 0.2, CAT))}
    return match_split(samples, found, ("cat",))


def test_counts_at_the_operating_point_and_in_total(split):
    # F1: 2·1 / (1 + 3) at 0.9, 2·1 / (2 + 3) at 0.3, 2·2 / (3 + 3) at 0.2.
    analysis = Analysis(split, "voc10", resamples=50)
    assert analysis.operating_point.score == pytest.approx(0.2)
    assert analysis.map == pytest.approx(1 / 3 + 1 / 3 * 2 / 3)
    background = analysis.false_positive_types[FalsePositiveType.BACKGROUND]
    assert (background.at_operating_point, background.total) == (1, 1)
    assert background.fixed_map == pytest.approx(2 / 3)
    assert [each.name for each in analysis.false_negative_types] == [
        *("CONFUSED", "LOCALISATION", "UNDETECTED")
    ]
    undetected = analysis.false_negative_types[FalseNegativeType.UNDETECTED]
    assert (undetected.at_operating_point, undetected.total) == (1, 1)
    assert undetected.fixed_map == pytest.approx(1 / 2 + 1 / 2 * 2 / 3)
    assert analysis.map_interval.low <= analysis.map <= analysis.map_interval.high
    assert analysis.ap_intervals == (analysis.map_interval,)
    assert analysis.resampled_aps.shape == (1, 50)


def test_the_threshold_of_a_miss_is_the_one_it_is_counted_at():
    # Nothing is wrong from 0.9 on, where the second cat's box at 0.3 is below the threshold; among
    # all detections, from 0.05 on, that box was suppressed.
    samples = [sample("a", (1, CAT)), sample("b", (1, CAT))]
    found = {
        "a": detected((1, 0.9, CAT)),
        "b": detected((1, 0.4, DOG), (1, 0.35, (30, 30, 40, 40))),
    }
    evidence = Evidence(np.array([1.0, 0.8]), np.array([0.9, 0.3]), 0.05)
    analysis = Analysis(match_split(samples, found, ("cat",)), "voc07", evidence, resamples=20)
    assert analysis.false_negatives.types.tolist() == [FalseNegativeType.LOW_SCORE]
    types = analysis.false_negative_types
    assert list(types) == [each for each in FalseNegativeType if each.name != "UNDETECTED"]
    low, suppressed = types[FalseNegativeType.LOW_SCORE], types[FalseNegativeType.SUPPRESSED]
    assert (low.at_operating_point, low.total) == (1, 0)
    assert (suppressed.at_operating_point, suppressed.total) == (0, 1)


def test_the_same_seed_gives_the_same_interval(split):
    assert Analysis(split, "voc07").map_interval == Analysis(split, "voc07").map_interval
