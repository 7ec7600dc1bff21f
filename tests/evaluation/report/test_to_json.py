"""The report of an evaluation."""

from __future__ import annotations

import json

import pytest

from frcnn_cli.evaluation.explain import explain
from frcnn_cli.evaluation.metrics.coco import evaluate_coco
from frcnn_cli.evaluation.metrics.voc import evaluate, match_split, score
from frcnn_cli.evaluation.report.to_json import to_json
from support.samples import detected, sample

BOX, FAR = (0, 0, 10, 10), (50, 50, 60, 60)


@pytest.mark.parametrize(("metric", "ap"), [("voc07", 28 / 33), ("voc10", 5 / 6)])
def test_the_report_holds_both_rules_and_what_was_left_out(metric, ap):
    # The worked case of test_voc: hit, miss, hit.
    samples = [sample("a", (1, BOX), (1, FAR), (1, BOX, True)), sample("b")]
    found = {"a": detected((1, 0.9, BOX), (1, 0.7, FAR)), "b": detected((1, 0.8, BOX))}
    report = to_json(evaluate(samples, found, ("cat", "dog")), metric)
    assert json.loads(json.dumps(report, allow_nan=False)) == {
        "schema": "frcnn.evaluation/1",
        "metric": metric,
        "map": pytest.approx(ap),
        "map_voc07": pytest.approx(28 / 33),
        "map_voc10": pytest.approx(5 / 6),
        "iou": 0.5,
        "images": 2,
        "left_out": ["dog"],
        "classes": {
            "cat": {
                "ap": pytest.approx(ap),
                "ap_voc07": pytest.approx(28 / 33),
                "ap_voc10": pytest.approx(5 / 6),
                "objects": 2,
                "difficult": 1,
                "detections": 3,
            },
            "dog": {
                "ap": None,
                "ap_voc07": None,
                "ap_voc10": None,
                "objects": 0,
                "difficult": 0,
                "detections": 0,
            },
        },
    }


def test_the_report_of_cocos_metric_and_of_an_explanation():
    samples = [sample("a", (1, BOX), (1, FAR))]
    found = {"a": detected((1, 0.9, BOX), (1, 0.8, (80, 0, 90, 10)), (1, 0.7, FAR))}
    split = match_split(samples, found, ("cat", "dog"))
    report = to_json(score(split), "coco", evaluate_coco(split), explain(split, "coco"))
    json.dumps(report, allow_nan=False)
    ap = pytest.approx((51 + 50 * 2 / 3) / 101)
    assert (report["metric"], report["map"]) == ("coco", ap)
    assert report["map_voc07"] == pytest.approx(28 / 33)
    assert list(report["coco"]) == [
        *("ap", "ap50", "ap75", "ap_small", "ap_medium", "ap_large"),
        *("ar_1", "ar_10", "ar_100", "ar_small", "ar_medium", "ar_large"),
    ]
    assert report["classes"]["cat"]["ap"] == ap
    assert report["classes"]["cat"]["coco"] == {"ap": ap, "ap50": ap, "ap75": ap, "ar_100": 1}
    assert report["classes"]["dog"]["ap"] is None
    assert report["explanation"]["map"] == ap
    assert report["explanation"]["variations"][0].keys() == {
        *("convention", "value", "map", "difference")
    }
