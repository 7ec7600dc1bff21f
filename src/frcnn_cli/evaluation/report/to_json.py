"""The JSON report of an evaluation, `frcnn.evaluation/1`. Fractions, never per cent."""

from __future__ import annotations

import dataclasses
from typing import Any

from frcnn_cli.config import Metric
from frcnn_cli.evaluation.explain import Explanation
from frcnn_cli.evaluation.metrics.coco import CocoEvaluation
from frcnn_cli.evaluation.metrics.voc import Evaluation

SCHEMA = "frcnn.evaluation/1"


def to_json(
    evaluation: Evaluation,
    metric: Metric = "voc07",
    coco: CocoEvaluation | None = None,
    explanation: Explanation | None = None,
) -> dict[str, Any]:
    """Returns the report; `map` and each `ap` follow `metric`, both VOC rules stand beside them.

    A class without objects is named in `left_out`, and its `ap` is None.

    Args:
        evaluation: by the VOC rules.
        metric: what `map` and `ap` are; `coco` needs `coco`.
        coco: COCO's numbers, told under `coco`.
        explanation: told under `explanation`.
    """
    if metric == "coco":
        assert coco is not None
        mean, aps = coco.mean_ap, [each.ap for each in coco.classes]
    else:
        mean, aps = evaluation.mean_ap(metric), [each.ap(metric) for each in evaluation.classes]
    report: dict[str, Any] = {
        "schema": SCHEMA,
        "metric": metric,
        "map": mean,
        "map_voc07": evaluation.mean_ap("voc07"),
        "map_voc10": evaluation.mean_ap("voc10"),
        "iou": evaluation.iou,
        "images": evaluation.images,
        "left_out": list(evaluation.left_out),
        "classes": {
            each.name: {
                "ap": ap,
                "ap_voc07": each.voc07,
                "ap_voc10": each.voc10,
                "objects": each.objects,
                "difficult": each.difficult,
                "detections": each.detections,
            }
            for each, ap in zip(evaluation.classes, aps, strict=True)
        },
    }
    if coco is not None:
        report["coco"] = coco.summary
        for each in coco.classes:
            numbers = {"ap": each.ap, "ap50": each.ap50, "ap75": each.ap75, "ar_100": each.ar_100}
            report["classes"][each.name]["coco"] = numbers
    if explanation is not None:
        report["explanation"] = dataclasses.asdict(explanation)
    return report
