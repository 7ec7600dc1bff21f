"""COCO's AP and AR, by a C++ port of COCO's own evaluator (faster-coco-eval).

Ten IoUs from 0.5 to 0.95, 101 recall levels, a detection takes the best free object, at most 100
detections per class and image. Difficult objects are what COCO calls crowds: not to be
found, and a detection whose area inside one is at least the IoU threshold does not count.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from frcnn_cli.evaluation.metrics.tables import (
    DetectionTable,
    ObjectTable,
    SplitTables,
    require_objects,
)
from frcnn_cli.records import SIZES, DoubleArray

_ALL, _MOST = 0, 2
"""Every area, and 100 detections: the first and the last of what COCO reports."""
_AREAS = ("", *(f"_{size}" for size in SIZES))
"""Suffixes of the names of what is measured for every area and for each size."""
_CAPS = (1, 10, 100)


@dataclass(frozen=True, slots=True)
class CocoClass:
    """COCO scores of one class; each value in 0..1.

    Attributes:
        name: the class.
        ap: mean over the ten IoUs; None, as the others, where there is nothing to find.
        ap50: at IoU 0.5.
        ap75: at IoU 0.75.
        ar_100: mean over the ten IoUs of the highest recall.
    """

    name: str
    ap: float | None
    ap50: float | None
    ap75: float | None
    ar_100: float | None


@dataclass(frozen=True, slots=True)
class CocoEvaluation:
    """COCO's numbers for a split.

    Attributes:
        summary: the twelve numbers of COCO's table in 0..1: `ap`, `ap50`, `ap75`, `ap_small`,
            `ap_medium`, `ap_large`, `ar_1`, `ar_10`, `ar_100` (with so many detections per class
            and image), `ar_small`, `ar_medium`, `ar_large`. None where there is nothing to find.
        classes: one per class, in the order of the labels.
    """

    summary: dict[str, float | None]
    classes: tuple[CocoClass, ...]

    @property
    def mean_ap(self) -> float:
        """The mean of AP over IoUs and over the classes that have objects."""
        return self.summary["ap"] or 0.0


def evaluate_coco(tables: SplitTables) -> CocoEvaluation:
    """Scores detections by COCO's rules.

    Raises:
        DataError: no class has an object to find, so that there is no mean.
    """
    require_objects(tables.objects)
    precision, recall = _accumulated(tables)
    ap = {f"ap{name}": precision[:, :, :, i, _MOST] for i, name in enumerate(_AREAS)}
    ar = {f"ar{name}": recall[:, :, i, _MOST] for i, name in enumerate(_AREAS) if name}
    caps = {f"ar_{cap}": recall[:, :, _ALL, i] for i, cap in enumerate(_CAPS)}
    at50, at75 = (precision[i, :, :, _ALL, _MOST] for i in (0, 5))
    values = {"ap": ap.pop("ap"), "ap50": at50, "ap75": at75, **ap, **caps, **ar}
    return CocoEvaluation(
        {name: _mean(numbers) for name, numbers in values.items()},
        tuple(
            CocoClass(
                name,
                ap=_mean(precision[:, :, k, _ALL, _MOST]),
                ap50=_mean(at50[:, k]),
                ap75=_mean(at75[:, k]),
                ar_100=_mean(recall[:, k, _ALL, _MOST]),
            )
            for k, name in enumerate(tables.classes)
        ),
    )


def _accumulated(tables: SplitTables) -> tuple[DoubleArray, DoubleArray]:
    """Returns COCO's precision (10 IoUs, 101, K, 4 areas, 3 caps) and recall, without the 101."""
    from faster_coco_eval import COCO, COCOeval_faster  # noqa: PLC0415 - a third of a second

    objects, detections = tables.objects, tables.detections
    truth = COCO(
        {
            "images": [{"id": i} for i in range(len(objects.image_ids))],
            "categories": [{"id": k, "name": name} for k, name in enumerate(tables.classes, 1)],
            "annotations": [
                {**row, "id": i, "iscrowd": int(difficult)}
                for i, (row, difficult) in enumerate(
                    zip(_rows(objects), objects.difficult.tolist(), strict=True), start=1
                )
            ],
        }
    )
    found = truth.loadRes(
        [
            {**row, "score": score, "segmentation": []}
            for row, score in zip(_rows(detections), detections.scores.tolist(), strict=True)
        ]
    )
    evaluator = COCOeval_faster(truth, found, "bbox")
    evaluator.params.maxDets = list(_CAPS)
    evaluator.evaluate()  # type: ignore[no-untyped-call]
    evaluator.accumulate()  # type: ignore[no-untyped-call]
    return evaluator.eval["precision"], evaluator.eval["recall"]


def _rows(table: ObjectTable | DetectionTable) -> list[dict[str, object]]:
    boxes = table.boxes.astype(np.float64)
    sides = boxes[:, 2:] - boxes[:, :2]
    areas = sides[:, 0] * sides[:, 1]
    columns = (table.image, table.labels, np.hstack([boxes[:, :2], sides]), areas)
    return [
        {"image_id": image, "category_id": label, "bbox": box, "area": area}
        for image, label, box, area in zip(*(each.tolist() for each in columns), strict=True)
    ]


def _mean(values: DoubleArray) -> float | None:
    """Returns the mean of what is not -1, COCO's word for nothing to find."""
    there = values[values > -1]
    return float(there.mean()) if there.size else None
