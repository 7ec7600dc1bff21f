"""COCO's numbers: by hand, by COCO's own Python evaluator, and by a slow reference of one class."""

from __future__ import annotations

import contextlib
import io

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval

from frcnn_cli.errors import DataError
from frcnn_cli.evaluation.metrics.coco import evaluate_coco
from frcnn_cli.evaluation.metrics.tables import tabulate
from support import reference
from support.samples import detected, sample
from support.splits import split_of, tabled

BOX, FAR = (0, 0, 10, 10), (50, 50, 60, 60)
CLASSES = ("cat", "dog")


def scored(samples, detections, classes=CLASSES):
    return evaluate_coco(tabulate(samples, detections, classes))


def test_everything_found_is_one():
    result = scored([sample("a", (1, BOX))], {"a": detected((1, 0.9, BOX))})
    summary = result.summary
    assert summary["ap"] == summary["ap50"] == summary["ap_small"] == summary["ar_1"] == 1
    assert summary["ap_medium"] is summary["ar_large"] is None
    cat, dog = result.classes
    assert (cat.ap, cat.ap50, cat.ap75, cat.ar_100) == (1, 1, 1, 1)
    assert (dog.ap, dog.ap50, dog.ap75, dog.ar_100) == (None,) * 4


def test_an_overlap_of_three_quarters_is_found_at_six_of_ten_thresholds():
    # 10 × 7.5 of 10 × 10: IoU 0.75 is a match at 0.5, 0.55, … 0.75.
    result = scored([sample("a", (1, BOX))], {"a": detected((1, 0.9, (0, 0, 10, 7.5)))})
    assert result.mean_ap == pytest.approx(0.6, abs=1e-12)
    assert (result.summary["ap75"], result.summary["ar_100"]) == (1, pytest.approx(0.6))


def test_a_miss_between_two_hits():
    # Precision 1, 1/2, 2/3 at recall 1/2, 1/2, 1: levels 0 … 0.5 (51) see 1, the other 50 see 2/3.
    samples = [sample("a", (1, BOX), (1, FAR))]
    found = {"a": detected((1, 0.9, BOX), (1, 0.8, (80, 0, 90, 10)), (1, 0.7, FAR))}
    assert scored(samples, found).mean_ap == pytest.approx((51 + 50 * 2 / 3) / 101, abs=1e-12)


def test_a_taken_object_is_passed_to_the_next_best():
    # VOC calls the second a duplicate; COCO gives it the object that is left (IoU 10/14).
    samples = [sample("a", (1, BOX), (1, (0, 0, 10, 14)))]
    found = {"a": detected((1, 0.9, BOX), (1, 0.8, BOX))}
    assert scored(samples, found).summary["ap50"] == 1


def test_a_difficult_object_is_a_crowd():
    # Nothing counts inside it, though 3 × 3 of 10 × 10 is an IoU of 0.09.
    samples = [sample("a", (1, BOX), (1, FAR, True))]
    inside = (52, 52, 55, 55)
    found = {"a": detected((1, 0.9, inside), (1, 0.8, inside), (1, 0.7, BOX))}
    assert scored(samples, found).mean_ap == 1


def test_nothing_found_is_zero_and_nothing_to_find_an_error():
    assert scored([sample("a", (1, BOX))], {}).mean_ap == 0
    with pytest.raises(DataError, match="no object to find in 1 images"):
        scored([sample("a", (1, BOX, True))], {})


@settings(max_examples=60, deadline=None)
@given(split_of(st.booleans()))
def test_equals_cocos_own_evaluator(split):
    samples, detections = tabled(split)
    ours = scored(samples, detections)
    stats = official(samples, detections)
    np.testing.assert_allclose(
        [-1 if value is None else value for value in ours.summary.values()], stats, atol=1e-9
    )


def official(samples, detections):
    """The twelve numbers of pycocotools."""
    annotations, results = [], []
    for i, each in enumerate(samples):
        for label, box, difficult in zip(each.labels, each.boxes, each.difficult, strict=True):
            x1, y1, x2, y2 = box.tolist()
            annotations.append(
                {
                    "id": len(annotations) + 1,
                    "image_id": i,
                    "category_id": int(label),
                    "bbox": [x1, y1, x2 - x1, y2 - y1],
                    "area": (x2 - x1) * (y2 - y1),
                    "iscrowd": int(difficult),
                }
            )
        found = detections.get(each.image_id, detected())
        for label, score, box in zip(found.labels, found.scores, found.boxes, strict=True):
            x1, y1, x2, y2 = box.tolist()
            results.append(
                {
                    "image_id": i,
                    "category_id": int(label),
                    "score": float(score),
                    "bbox": [x1, y1, x2 - x1, y2 - y1],
                }
            )
    with contextlib.redirect_stdout(io.StringIO()):
        truth = COCO()
        truth.dataset = {
            "info": {},
            "images": [{"id": i} for i in range(len(samples))],
            "categories": [{"id": 1}, {"id": 2}],
            "annotations": annotations,
        }
        truth.createIndex()
        evaluator = COCOeval(truth, truth.loadRes(results) if results else COCO(), "bbox")
        evaluator.evaluate()
        evaluator.accumulate()
        evaluator.summarize()
    return evaluator.stats


@settings(max_examples=100, deadline=None)
@given(split_of(st.just(False)), st.sampled_from([(0, "ap50"), (5, "ap75")]))
def test_equals_the_slow_reference(split, at):
    samples, detections = tabled(split)
    step, name = at
    ours = scored(samples, detections)
    for label, each in enumerate(ours.classes, start=1):
        rows, objects = reference.coco_matches(samples, detections, label, 0.5 + 0.05 * step)
        if objects:
            assert getattr(each, name) == pytest.approx(reference.coco_ap(rows, objects), abs=1e-9)
        else:
            assert getattr(each, name) is None
