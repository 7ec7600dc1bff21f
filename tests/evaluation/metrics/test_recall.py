"""Recall of proposals: every number here is worked by hand."""

from __future__ import annotations

import numpy as np
import pytest

from frcnn_cli.errors import DataError
from frcnn_cli.evaluation.metrics.recall import LEVELS, measure_overlaps, recall, recall_by_count
from frcnn_cli.evaluation.proposals import ProposalReport, perfect_detections, to_json
from frcnn_cli.records import as_boxes
from support.samples import sample

SQUARE = (0, 0, 10, 10)
SEVEN_TENTHS = (0, 0, 7, 10)  # IoU with SQUARE
HALF = (0, 0, 10, 5)
QUARTER = (0, 0, 5, 5)
FAR = (500, 500, 510, 510)
NOTHING = as_boxes([])


def overlaps(*images):
    return measure_overlaps((each, as_boxes(boxes)) for each, boxes in images)


def test_best_overlap_rank_and_positives():
    first = sample("a", (1, SQUARE), (2, FAR))
    second = sample("b", (1, SQUARE, True), (2, (0, 0, 100, 100)))
    found = overlaps((first, [QUARTER, HALF, SEVEN_TENTHS]), (second, [SQUARE]))
    np.testing.assert_array_equal(found.iou, [0.7, 0, 0.01])
    np.testing.assert_array_equal(found.rank, [2, 0, 0])
    np.testing.assert_array_equal(found.labels, [1, 2, 2])
    np.testing.assert_array_equal(found.areas, [100, 100, 10_000])
    np.testing.assert_array_equal(found.proposals, [3, 1])
    np.testing.assert_array_equal(found.positives, [2, 0])
    np.testing.assert_array_equal(found.objects, [2, 1])


def test_images_without_objects_or_without_proposals():
    found = overlaps((sample("a"), [SQUARE]), (sample("b", (1, SQUARE)), []), (sample("c"), []))
    np.testing.assert_array_equal(found.iou, [0])
    np.testing.assert_array_equal(found.rank, [0])
    np.testing.assert_array_equal(found.proposals, [1, 0, 0])
    np.testing.assert_array_equal(found.positives, [0, 0, 0])
    assert len(overlaps().iou) == 0


def test_recall_counts_an_overlap_of_exactly_the_level():
    measured = recall(np.array([0.5, 0.7, 1.0, 0.49]))
    assert measured.objects == 4
    # 0.5 counts at the first level, 0.7 at the first five, 1.0 at all ten.
    np.testing.assert_array_equal(measured.by_iou * 4, [3, 2, 2, 2, 2, 1, 1, 1, 1, 1])
    assert measured.average == pytest.approx(16 / 40)
    assert measured.best_overlap == pytest.approx(2.69 / 4)
    assert recall(np.zeros(0)) is None


def test_seven_tenths_of_real_boxes_is_on_the_level():
    found = overlaps((sample("a", (1, SQUARE)), [SEVEN_TENTHS]))
    assert (found.iou >= LEVELS).sum() == 5


def test_recall_by_count():
    rank = np.array([1, 3, 0, 3])
    np.testing.assert_array_equal(
        recall_by_count(rank, np.array([0, 1, 2, 3, 9])), [0, 0.25, 0.25, 0.75, 0.75]
    )


def test_a_perfect_classifier_reports_one_box_an_object():
    found = perfect_detections(
        sample("a", (1, SQUARE), (2, FAR), (2, SQUARE, True)),
        as_boxes([HALF, SEVEN_TENTHS, QUARTER]),
        0.5,
    )
    np.testing.assert_array_equal(found.boxes, [SEVEN_TENTHS])
    np.testing.assert_array_equal(found.labels, [1])


def test_a_box_finds_only_the_object_that_it_overlaps_most():
    left, right = (0, 0, 10, 10), (2, 0, 12, 10)
    between = (0.5, 0, 10.5, 10)  # IoU 9.5 / 10.5 with left, 8.5 / 11.5 with right
    twins = sample("a", (1, left), (1, right))
    assert len(perfect_detections(twins, as_boxes([between]), 0.5)) == 1
    assert len(perfect_detections(twins, as_boxes([between, right]), 0.5)) == 2
    others = sample("a", (1, left), (2, right))
    assert len(perfect_detections(others, as_boxes([between]), 0.5)) == 2


def test_the_ceiling_is_perfect_where_every_object_has_its_box():
    twins = sample("a", (1, SQUARE), (1, (5, 0, 15, 10)), (2, FAR))
    report = ProposalReport([(twins, twins.boxes)], ["cat", "dog"])
    assert report.ceiling.mean_ap("voc07") == 1
    assert report.ceiling.mean_ap("voc10") == 1


def test_a_report_by_hand():
    large, medium = (0, 0, 100, 100), (0, 0, 40, 40)
    images = [
        (sample("a", (1, SQUARE), (1, FAR)), as_boxes([HALF, SEVEN_TENTHS])),
        (sample("b", (2, large)), as_boxes([large])),
        (sample("c", (2, medium, True)), NOTHING),
    ]
    written = to_json(ProposalReport(images, ["cat", "dog", "emu"]))
    assert (written["photographs"], written["objects"]) == (3, 3)
    assert written["proposals"] == {"mean": 1, "median": 1, "least": 0, "most": 2}
    assert written["positives"] == {
        **{"mean": 1.5, "median": 1.5, "least": 1, "most": 2},
        "photographs_without": 0,
    }
    assert written["recall"]["0.50"] == pytest.approx(2 / 3)
    assert written["recall"]["0.70"] == pytest.approx(2 / 3)
    assert written["recall"]["0.75"] == pytest.approx(1 / 3)
    assert written["abo"] == pytest.approx(1.7 / 3)
    assert written["mabo"] == pytest.approx((0.35 + 1) / 2)
    assert written["recall_by_count"] == {"2": pytest.approx(2 / 3)}
    cat, dog, emu = written["classes"].values()
    # One cat of two at precision 1: recall levels 0 to 0.5 are reached, 6 of 11.
    assert cat["ceiling_voc07"] == pytest.approx(6 / 11)
    assert (cat["objects"], cat["abo"]) == (2, 0.35)
    assert (dog["objects"], dog["recall"]["0.95"], dog["ceiling_voc07"]) == (1, 1, 1)
    assert (emu["objects"], emu["recall"], emu["ceiling_voc07"]) == (0, None, None)
    assert written["ceiling"]["voc10"] == pytest.approx((0.5 + 1) / 2)
    assert [each["objects"] for each in written["sizes"].values()] == [2, 0, 1]


def test_a_split_without_objects_has_no_report():
    with pytest.raises(DataError, match="no object"):
        ProposalReport([(sample("a"), as_boxes([SQUARE]))], ["cat"])
