"""Two detectors side by side."""

from __future__ import annotations

import numpy as np
import pytest

from frcnn_cli.evaluation.analysis import Analysis
from frcnn_cli.evaluation.analysis.comparison import compare
from frcnn_cli.evaluation.metrics.voc import match_split
from frcnn_cli.evaluation.report.to_json import comparison_to_json
from support.samples import detected, sample

CAT, DOG = (0, 0, 10, 10), (50, 50, 60, 60)
NAMES = [str(i) for i in range(30)]
SAMPLES = [sample(name, (1, CAT)) for name in NAMES]


def found_in(names):
    """A detector that finds the cats of `names` and takes nothing else for one."""
    found = {name: detected((1, 0.9, CAT)) for name in names}
    return Analysis(match_split(SAMPLES, found, ("cat", "dog")), "voc10")


def test_by_hand():
    # 10 and 20 of 30 cats: AP by area 1/3 and 2/3.
    comparison = compare(found_in(NAMES[:10]), found_in(NAMES[:20]))
    assert comparison.difference == pytest.approx(1 / 3)
    cat, dog = comparison.classes
    assert (cat.a, cat.b, cat.difference) == pytest.approx((1 / 3, 2 / 3, 1 / 3))
    assert (dog.a, dog.b, dog.difference, dog.interval) == (None, None, None, None)
    assert comparison.is_clear
    assert "B is better than A" in comparison.verdict


def test_the_same_detector_does_not_differ():
    comparison = compare(found_in(NAMES[:10]), found_in(NAMES[:10]))
    assert comparison.difference == 0
    assert (comparison.interval.low, comparison.interval.high) == (0, 0)
    assert not comparison.is_clear
    assert "do not show which is better" in comparison.verdict


def test_pairs_of_images_are_compared():
    """B misses one image more: sure to be worse, though the intervals of both overlap."""
    a, b = found_in(NAMES[:20]), found_in(NAMES[:19])
    assert a.map_interval.low < b.map_interval.high
    paired = compare(a, b).interval
    assert paired.high - paired.low < (a.map_interval.high - a.map_interval.low) / 2


def test_the_interval_is_that_of_the_binomial():
    """AP is here the share of images that are found: its bootstrap is known in closed form."""
    analysis = found_in(NAMES[:15])
    deviation = np.sqrt(0.25 / 30)
    width = analysis.map_interval.high - analysis.map_interval.low
    assert width == pytest.approx(2 * 1.96 * deviation, rel=0.15)


def test_as_json():
    result = comparison_to_json(compare(found_in(NAMES[:20]), found_in(NAMES[:10])))
    assert result["schema"] == "frcnn.comparison/1"
    assert result["difference"] == pytest.approx(-1 / 3)
    assert result["excludes_zero"] is True
    assert result["interval"][0] < result["interval"][1] < 0
    assert result["classes"]["dog"]["interval"] is None
