"""VOC evaluation: cases with their numbers worked out by hand, and the devkit's code."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from frcnn_cli.errors import DataError
from frcnn_cli.evaluation.metrics.voc import evaluate
from support import reference
from support.samples import detected, sample

BOX = (0, 0, 10, 10)
FAR = (50, 50, 60, 60)
ELSEWHERE = (80, 0, 90, 10)


def both(samples, detections, classes=("cat",), iou=0.5):
    """The two APs of the first class."""
    first = evaluate(samples, detections, classes, iou).classes[0]
    return first.voc07, first.voc10


def test_everything_found_is_one():
    assert both([sample("a", (1, BOX))], {"a": detected((1, 0.9, BOX))}) == (1.0, 1.0)


def test_nothing_found_is_zero():
    result = evaluate([sample("a", (1, BOX))], {}, ("cat",))
    assert (result.mean_ap("voc07"), result.mean_ap("voc10")) == (0.0, 0.0)
    assert result.classes[0].precision.shape == (0,)


def test_a_miss_between_two_hits():
    # Falling score: hit, miss, hit. precision 1, 1/2, 2/3 at recall 1/2, 1/2, 1.
    # 11-point: levels 0 … 0.5 see 1 (6 of them), 0.6 … 1 see 2/3 (5). (6 + 5 * 2/3) / 11 = 28/33
    # Area: half the recall at 1, half at 2/3 = 5/6
    samples = [sample("a", (1, BOX), (1, FAR))]
    found = {"a": detected((1, 0.9, BOX), (1, 0.8, ELSEWHERE), (1, 0.7, FAR))}
    assert both(samples, found) == pytest.approx((28 / 33, 5 / 6), abs=1e-12)


def test_a_second_detection_of_an_object_is_a_false_positive():
    # hit, duplicate, hit: the same curve as above.
    samples = [sample("a", (1, BOX), (1, FAR))]
    found = {"a": detected((1, 0.9, BOX), (1, 0.8, (0, 0, 10, 9)), (1, 0.7, FAR))}
    assert both(samples, found) == pytest.approx((28 / 33, 5 / 6), abs=1e-12)


def test_the_higher_score_finds_the_object_though_it_overlaps_less():
    found = {"a": detected((1, 0.9, (0, 0, 10, 6)), (1, 0.8, BOX))}
    result = evaluate([sample("a", (1, BOX))], found, ("cat",)).classes[0]
    assert result.recall.tolist() == [1, 1]
    assert result.precision.tolist() == [1, 0.5]


def test_difficult_objects_count_neither_way():
    # One object to find. The difficult one is found twice: neither is right or wrong.
    samples = [sample("a", (1, BOX), (1, FAR, True))]
    found = {"a": detected((1, 0.9, FAR), (1, 0.8, FAR), (1, 0.7, BOX))}
    result = evaluate(samples, found, ("cat",)).classes[0]
    assert (result.objects, result.difficult, result.detections) == (1, 1, 3)
    assert result.precision.tolist() == [1]
    assert (result.voc07, result.voc10) == (1, 1)


def test_a_difficult_object_may_be_the_best_match():
    # IoU with the ordinary object is 6/10, with the difficult one 8/10: the detection is ignored,
    # though the ordinary object would have been a match too.
    samples = [sample("a", (1, (0, 0, 10, 6)), (1, (0, 0, 10, 8), True))]
    assert both(samples, {"a": detected((1, 0.9, BOX))}) == (0.0, 0.0)


def test_a_taken_object_is_not_passed_to_the_next_best():
    # Both detections overlap the first object most; the second one is a duplicate, although it
    # also has IoU >= 0.5 with the object that nobody found.
    samples = [sample("a", (1, (0, 0, 10, 10)), (1, (0, 0, 10, 14)))]
    found = {"a": detected((1, 0.9, BOX), (1, 0.8, BOX))}
    result = evaluate(samples, found, ("cat",)).classes[0]
    assert result.recall.tolist() == [0.5, 0.5]


def test_of_equal_overlaps_the_first_object_is_taken():
    samples = [sample("a", (1, BOX, True), (1, BOX))]
    assert both(samples, {"a": detected((1, 0.9, BOX))}) == (0.0, 0.0)


def test_an_overlap_of_exactly_the_threshold_matches():
    # 10 × 5 of 10 × 10 is IoU 1/2, and 1/2 >= 1/2.
    assert both([sample("a", (1, BOX))], {"a": detected((1, 0.9, (0, 0, 10, 5)))}) == (1, 1)
    # In the devkit's pixels this is 1..3 of 1..4, IoU 3/4, where areas without + 1 would say 4/9.
    samples, found = [sample("a", (1, (0, 0, 4, 4)))], {"a": detected((1, 0.9, (0, 0, 3, 4)))}
    assert both(samples, found, iou=0.75) == (1, 1)
    assert both(samples, found, iou=0.7501) == (0, 0)


def test_equal_scores_keep_the_order_of_the_images():
    # Tied hit and miss: the image that comes first decides, whatever the mapping's order.
    samples = [sample("a", (1, BOX)), sample("b")]
    found = {"b": detected((1, 0.5, BOX)), "a": detected((1, 0.5, BOX))}
    assert both(samples, found) == (1.0, 1.0)
    assert both(samples[::-1], found) == (0.5, 0.5)


def test_classes_and_images_are_kept_apart():
    samples = [sample("a", (1, BOX)), sample("b", (2, BOX))]
    found = {"a": detected((2, 0.9, BOX)), "b": detected((1, 0.9, BOX))}
    assert evaluate(samples, found, ("cat", "dog")).mean_ap("voc07") == 0


def test_a_class_without_objects_is_left_out_of_the_mean():
    samples = [sample("a", (1, BOX), (2, FAR, True))]
    found = {"a": detected((1, 0.9, BOX), (2, 0.9, ELSEWHERE), (3, 0.8, BOX))}
    result = evaluate(samples, found, ("cat", "dog", "emu"))
    assert result.left_out == ("dog", "emu")
    assert result.mean_ap("voc07") == result.mean_ap("voc10") == 1
    assert [each.voc07 for each in result.classes] == [1, None, None]
    assert [each.detections for each in result.classes] == [1, 1, 1]


def test_false_alarms_in_images_without_objects_count():
    # miss (in the empty image), hit: precision at full recall is 1/2.
    samples = [sample("empty"), sample("a", (1, BOX))]
    found = {"empty": detected((1, 0.9, BOX)), "a": detected((1, 0.8, BOX))}
    assert both(samples, found) == (0.5, 0.5)


def test_three_of_ten_objects_reach_the_recall_level_of_three_tenths():
    # Recall 0.3 at precision 1: levels 0, 0.1, 0.2 and 0.3 see it, 4/11. In binary, 3 steps of
    # 0.1 lie above 3/10, which would make it 3/11.
    boxes = [(20 * i, 0, 20 * i + 10, 10) for i in range(10)]
    samples = [sample("a", *((1, box) for box in boxes))]
    found = {"a": detected(*((1, 0.9, box) for box in boxes[:3]))}
    assert both(samples, found) == pytest.approx((4 / 11, 0.3), abs=1e-12)


@pytest.mark.parametrize(
    ("samples", "found", "message"),
    [
        ([], {}, "no images"),
        ([sample("a"), sample("a")], {}, "'a' is listed twice"),
        ([sample("a")], {}, "no object to find in 1 images"),
        ([sample("a", (1, BOX, True))], {}, "no object to find"),
        ([sample("a", (2, BOX))], {}, "an object has label 2"),
        ([sample("a", (1, BOX))], {"b": detected()}, "image 'b'"),
        ([sample("a", (1, BOX))], {"a": detected((0, 0.5, BOX))}, "a detection has label 0"),
    ],
)
def test_what_does_not_belong_together_is_refused(samples, found, message):
    with pytest.raises(DataError, match=message):
        evaluate(samples, found, ("cat",))


# Small whole pixels, few scores and few places, so that ties, duplicates and equal overlaps abound.
BOXES = st.builds(
    lambda x, y, w, h: (x, y, x + w, y + h),
    *[st.integers(0, 4)] * 2,
    *[st.integers(1, 4)] * 2,
)
OBJECTS = st.lists(st.tuples(st.integers(1, 2), BOXES, st.booleans()), max_size=5)
FOUND = st.lists(
    st.tuples(st.integers(1, 2), st.sampled_from([0.0, 0.25, 0.5, 0.75, 1.0]), BOXES), max_size=8
)


@pytest.mark.slow
@settings(max_examples=150, deadline=None)
@given(
    st.lists(st.tuples(OBJECTS, FOUND), min_size=1, max_size=4), st.sampled_from([0.3, 0.5, 0.75])
)
def test_equals_the_devkit(split, iou):
    samples = [sample(str(i), *objects) for i, (objects, _) in enumerate(split)]
    samples.append(sample("certain", (1, BOX)))
    detections = {str(i): detected(*found) for i, (_, found) in enumerate(split)}
    result = evaluate(samples, detections, ("cat", "dog"), iou)
    for label, ours in enumerate(result.classes, start=1):
        precision, recall = reference.curve(samples, detections, label, iou)
        if precision is None:
            assert ours.voc07 is None
            continue
        assert ours.voc07 == pytest.approx(reference.voc07(precision, recall), abs=1e-9)
        assert ours.voc10 == pytest.approx(reference.voc10(precision, recall), abs=1e-9)
        assert np.all(np.diff(ours.recall) >= 0)


@settings(max_examples=100, deadline=None)
@given(st.lists(st.tuples(OBJECTS, FOUND), min_size=1, max_size=3))
def test_the_order_of_classes_changes_nothing(split):
    samples = [sample(str(i), *objects) for i, (objects, _) in enumerate(split)]
    samples.append(sample("certain", (1, BOX)))
    detections = {str(i): detected(*found) for i, (_, found) in enumerate(split)}
    swapped = [
        sample(each.image_id, *zip(3 - each.labels, each.boxes, each.difficult, strict=True))
        for each in samples
    ]
    exchanged = {
        key: detected(*zip(3 - each.labels, each.scores, each.boxes, strict=True))
        for key, each in detections.items()
    }
    ours = evaluate(samples, detections, ("cat", "dog"))
    theirs = evaluate(swapped, exchanged, ("dog", "cat"))
    assert ours.mean_ap("voc10") == pytest.approx(theirs.mean_ap("voc10"), abs=1e-12)
