"""What `report.json` holds beside the evaluation: `frcnn.analysis/1`. Fractions, never per cent."""

from __future__ import annotations

from typing import Any

from frcnn_cli.evaluation.analysis import (
    Analysis,
    Kind,
    false_alarms_by_class,
    misses_by_class,
)
from frcnn_cli.evaluation.analysis.bootstrap import CONFIDENCE, Interval
from frcnn_cli.evaluation.report.to_json import to_json

SCHEMA = "frcnn.analysis/1"


def analysis_to_json(analysis: Analysis) -> dict[str, Any]:
    """Returns an analysis; counts "in_use" are those from the working point's score on."""
    point = analysis.working_point
    names = analysis.split.classes
    return {
        "schema": SCHEMA,
        "evaluation": to_json(analysis.evaluation, analysis.metric),
        "bootstrap": {
            "resamples": analysis.resampled_aps.shape[1],
            "confidence": CONFIDENCE,
            "map": interval_to_json(analysis.map_interval),
            "classes": {
                name: interval_to_json(each)
                for name, each in zip(names, analysis.ap_intervals, strict=True)
            },
        },
        "working_point": {
            "score": point.score,
            "precision": point.precision,
            "recall": point.recall,
            "f1": point.f1,
        },
        "misses": {
            each.name.lower(): _kind_to_json(kind, analysis.map)
            for each, kind in analysis.miss_kinds.items()
        },
        "false_alarms": {
            each.name.lower(): _kind_to_json(kind, analysis.map)
            for each, kind in analysis.alarm_kinds.items()
        },
        "classes_in_use": {
            name: {
                "misses": {kind.name.lower(): count for kind, count in misses.items()},
                "false_alarms": {kind.name.lower(): count for kind, count in alarms.items()},
            }
            for name, misses, alarms in zip(
                names, misses_by_class(analysis), false_alarms_by_class(analysis), strict=True
            )
        },
        "sizes": {
            used.name: {
                "objects": used.objects,
                "found_in_use": used.found,
                "found_in_all": all_.found,
            }
            for used, all_ in zip(analysis.sizes, analysis.sizes_in_all, strict=True)
        },
        "confusion": {"names": ["nothing", *names], "counts": analysis.confusion.tolist()},
    }


def interval_to_json(interval: Interval | None) -> list[float] | None:
    """Returns [low, high], or None where there is no interval."""
    return None if interval is None else [interval.low, interval.high]


def _kind_to_json(kind: Kind, before: float) -> dict[str, Any]:
    return {
        "in_use": kind.at_work,
        "in_all": kind.in_all,
        "map_if_mended": kind.mended_map,
        "gain": kind.mended_map - before,
    }
