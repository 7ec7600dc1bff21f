"""The JSON reports: `frcnn.evaluation/1`, `frcnn.analysis/1` and `frcnn.comparison/1`.

Fractions, never per cent.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

from frcnn_cli.config import Metric
from frcnn_cli.evaluation.analysis import Analysis, ErrorCounts
from frcnn_cli.evaluation.analysis.bootstrap import CONFIDENCE, Interval
from frcnn_cli.evaluation.analysis.calibration import reliability
from frcnn_cli.evaluation.analysis.comparison import Comparison
from frcnn_cli.evaluation.explain import Explanation
from frcnn_cli.evaluation.metrics.coco import CocoEvaluation
from frcnn_cli.evaluation.metrics.voc import Evaluation
from frcnn_cli.records import OperatingPoint

EVALUATION = "frcnn.evaluation/1"
ANALYSIS = "frcnn.analysis/1"
COMPARISON = "frcnn.comparison/1"


def to_json(
    evaluation: Evaluation,
    metric: Metric = "voc07",
    coco: CocoEvaluation | None = None,
    explanation: Explanation | None = None,
    threshold: OperatingPoint | None = None,
) -> dict[str, Any]:
    """Returns the report; `map` and each `ap` follow `metric`, both VOC rules stand beside them.

    A class without objects is named in `left_out`, and its `ap` is None.

    Args:
        evaluation: by the VOC rules.
        metric: what `map` and `ap` are; `coco` needs `coco`.
        coco: COCO's numbers, reported under `coco`.
        explanation: reported under `explanation`.
        threshold: from which score detections are confident ones; reported under `threshold`.
    """
    if metric == "coco":
        assert coco is not None
        mean, aps = coco.mean_ap, [each.ap for each in coco.classes]
    else:
        mean, aps = evaluation.mean_ap(metric), [each.ap(metric) for each in evaluation.classes]
    report: dict[str, Any] = {
        "schema": EVALUATION,
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
            numbers = dataclasses.asdict(each)
            report["classes"][numbers.pop("name")]["coco"] = numbers
    if explanation is not None:
        report["explanation"] = dataclasses.asdict(explanation)
    if threshold is not None:
        report["threshold"] = {**dataclasses.asdict(threshold), "f1": threshold.f1}
    return report


def analysis_to_json(analysis: Analysis) -> dict[str, Any]:
    """Returns an analysis; counts "in_use" are those from the operating point's score on."""
    point = analysis.operating_point
    names = analysis.split.classes
    intervals = map(_interval, analysis.ap_intervals)
    counts = partial(_counts, before=analysis.map)
    return {
        "schema": ANALYSIS,
        "evaluation": to_json(analysis.evaluation, analysis.metric),
        "bootstrap": {
            "resamples": analysis.resampled_aps.shape[1],
            "confidence": CONFIDENCE,
            "map": _interval(analysis.map_interval),
            "classes": dict(zip(names, intervals, strict=True)),
        },
        "reliability": [dataclasses.asdict(each) for each in reliability(analysis.split)],
        "working_point": {**dataclasses.asdict(point), "f1": point.f1},
        "misses": _by_name(analysis.false_negative_types, counts),
        "false_alarms": _by_name(analysis.false_positive_types, counts),
        "classes_in_use": {
            name: {
                "misses": _by_name(analysis.false_negatives_of(label)),
                "false_alarms": _by_name(analysis.false_positives_of(label)),
            }
            for label, name in enumerate(names, start=1)
        },
        "sizes": {
            used.name: {
                "objects": used.objects,
                "found_in_use": used.found,
                "found_in_all": total.found,
            }
            for used, total in zip(analysis.sizes, analysis.sizes_total, strict=True)
        },
        "confusion": {"names": ["nothing", *names], "counts": analysis.confusion.tolist()},
    }


def comparison_to_json(comparison: Comparison) -> dict[str, Any]:
    """Returns a comparison; differences are B - A."""
    a, b = comparison.a, comparison.b
    return {
        "schema": COMPARISON,
        "metric": a.metric,
        "iou": a.split.iou,
        "images": a.evaluation.images,
        "resamples": a.resampled_aps.shape[1],
        "map_a": a.map,
        "map_b": b.map,
        "difference": comparison.difference,
        "interval": _interval(comparison.interval),
        "excludes_zero": comparison.is_clear,
        "classes": {
            each.name: {
                "objects": each.objects,
                "ap_a": each.a,
                "ap_b": each.b,
                "difference": each.difference,
                "interval": _interval(each.interval),
            }
            for each in comparison.classes
        },
    }


def _interval(interval: Interval | None) -> list[float] | None:
    return None if interval is None else [interval.low, interval.high]


def _by_name(types: Mapping[Any, Any], value: Callable[[Any], Any] = int) -> dict[str, Any]:
    return {each.name.lower(): value(found) for each, found in types.items()}


def _counts(counts: ErrorCounts, before: float) -> dict[str, Any]:
    return {
        "in_use": counts.at_operating_point,
        "in_all": counts.total,
        "map_if_mended": counts.fixed_map,
        "gain": counts.fixed_map - before,
    }
