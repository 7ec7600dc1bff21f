"""The report of an evaluation."""

from __future__ import annotations

import json

import pytest

from frcnn_cli.evaluation.report import to_json
from frcnn_cli.evaluation.voc import evaluate

from .made import detected, sample

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
