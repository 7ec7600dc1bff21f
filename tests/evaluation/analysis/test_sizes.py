"""Recall by the size of the objects."""

from __future__ import annotations

from frcnn_cli.evaluation.analysis.sizes import SizeRecall, recall_by_size
from frcnn_cli.evaluation.metrics.voc import match_split
from support.samples import detected, sample


def test_by_hand():
    small, at_32, large = (0, 0, 31, 32), (0, 0, 32, 32), (0, 0, 96, 96)
    samples = [
        sample("a", (1, small)),
        sample("b", (1, at_32)),
        sample(
            "c", (1, large), (1, (200, 200, 400, 400), True)
        ),  # the difficult one does not count
        sample("d", (1, small)),
    ]
    found = {"a": detected((1, 0.9, small)), "c": detected((1, 0.9, large))}
    sizes = recall_by_size(match_split(samples, found, ("cat",)))
    assert sizes == (
        SizeRecall("small", 2, 1),
        SizeRecall("medium", 1, 0),
        SizeRecall("large", 1, 1),
    )
    assert [each.recall for each in sizes] == [0.5, 0, 1]


def test_a_size_without_objects_has_no_recall():
    sizes = recall_by_size(match_split([sample("a", (1, (0, 0, 9, 9)))], {}, ("cat",)))
    assert [each.recall for each in sizes] == [0, None, None]
