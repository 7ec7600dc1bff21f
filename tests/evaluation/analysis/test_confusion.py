"""Confusions between classes."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from frcnn_cli.evaluation.analysis.confusion import confusion_matrix
from frcnn_cli.evaluation.analysis.error_types import find_false_positives
from frcnn_cli.evaluation.metrics.voc import match_split
from support.samples import detected, sample

CAT, DOG, COW = (0, 0, 10, 10), (50, 50, 60, 60), (80, 0, 90, 10)
CLASSES = ("cat", "cow", "dog")


def confusion(samples, found):
    split = match_split(samples, found, CLASSES)
    return confusion_matrix(split, find_false_positives(split)).tolist()


def test_by_hand():
    samples = [
        sample("a", (1, CAT), (3, DOG)),
        sample("b", (2, COW), (1, CAT, True)),
        sample("c", (1, CAT)),
    ]
    found = {
        # A cat found, and that cat called a dog too: the second is a plain false positive.
        # The dog is called a cow at 0.7 and a cat at 0.5: the higher score speaks for it.
        "a": detected((1, 0.9, CAT), (3, 0.8, CAT), (2, 0.7, DOG), (1, 0.5, DOG)),
        # The difficult cat is ignored; a cow on nothing.
        "b": detected((1, 0.9, CAT), (2, 0.4, (30, 30, 40, 40))),
    }
    assert confusion(samples, found) == [
        #  nothing  cat cow dog
        [0, 1, 1, 1],
        [1, 1, 0, 0],  # cats: one missed, one found
        [1, 0, 0, 0],  # the cow is missed
        [0, 0, 1, 0],  # the dog is taken for a cow
    ]


def test_nothing_detected():
    assert confusion([sample("a", (1, CAT), (2, COW))], {}) == [
        [0, 0, 0, 0],
        [1, 0, 0, 0],
        [1, 0, 0, 0],
        [0, 0, 0, 0],
    ]


BOX = st.builds(lambda x, y: (x, y, x + 6, y + 6), st.integers(0, 8), st.integers(0, 8))
OBJECTS = st.lists(st.tuples(st.integers(1, 3), BOX, st.booleans()), max_size=5)
FOUND = st.lists(st.tuples(st.integers(1, 3), st.sampled_from([0.2, 0.5, 0.9]), BOX), max_size=8)


@settings(max_examples=100)
@given(OBJECTS, FOUND)
def test_rows_are_objects_and_columns_are_detections(objects, found):
    split = match_split([sample("a", *objects)], {"a": detected(*found)}, CLASSES)
    matrix = confusion_matrix(split, find_false_positives(split))
    for label, matches in enumerate(split.matches, start=1):
        mine = (split.objects.labels == label) & ~split.objects.difficult
        assert matrix[label].sum() == mine.sum()
        assert matrix[:, label].sum() == (matches.outcomes != 2).sum()
        assert matrix[label, label] == (matches.outcomes == 1).sum()
