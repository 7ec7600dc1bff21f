"""The JSON report of an evaluation, `frcnn.evaluation/1`. Fractions, never per cent."""

from __future__ import annotations

from typing import Any

from frcnn_cli.config import Metric
from frcnn_cli.evaluation.voc import Evaluation

SCHEMA = "frcnn.evaluation/1"


def to_json(evaluation: Evaluation, metric: Metric = "voc07") -> dict[str, Any]:
    """Returns the report; `map` and each `ap` follow `metric`, and both rules stand beside them.

    A class without objects is named in `left_out`, and its `ap` is None.
    """
    return {
        "schema": SCHEMA,
        "metric": metric,
        "map": evaluation.mean_ap(metric),
        "map_voc07": evaluation.mean_ap("voc07"),
        "map_voc10": evaluation.mean_ap("voc10"),
        "iou": evaluation.iou,
        "images": evaluation.images,
        "left_out": list(evaluation.left_out),
        "classes": {
            each.name: {
                "ap": each.ap(metric),
                "ap_voc07": each.voc07,
                "ap_voc10": each.voc10,
                "objects": each.objects,
                "difficult": each.difficult,
                "detections": each.detections,
            }
            for each in evaluation.classes
        },
    }
