"""What `frcnn eval` gives."""

from __future__ import annotations

from typing import Literal

from schemas.common import OPERATING_POINT, Count, Fraction, Interval, object_type, schema_type

CLASS = object_type(
    "Class",
    ap=(Fraction | None, "average precision by `metric`; `null` without objects"),
    ap_voc07=(Fraction | None, "at 11 points"),
    ap_voc10=(Fraction | None, "area under the curve"),
    objects=(Count, "objects to find, without the difficult ones"),
    difficult=(Count, "difficult objects, which are ignored"),
    detections=(Count, "detections of the class"),
    coco_if_any=(
        dict[str, Fraction | None],
        "with `--metric coco`: `ap`, `ap50`, `ap75`, `ar_100`",
    ),
)
_VARIATION = object_type("Variation", convention=str, value=str, map=Fraction, difference=float)
EXPLANATION = object_type(
    "Explanation",
    curve=(str, "how APs are computed from curves, in words"),
    map=(
        Fraction,
        "the mAP by VOC's matching and that curve; with `--metric coco` its 101 points at the one "
        "`iou`",
    ),
    variations=(
        list[_VARIATION],
        "one convention changed in each: `convention`, `value`, `map`, `difference`",
    ),
)
EVALUATION = schema_type(
    "frcnn.evaluation/1",
    metric=(Literal["voc07", "voc10", "coco"], "the rule of `map` and `ap`"),
    map=(Fraction, "mean of `ap` over the classes that have objects"),
    map_voc07=(Fraction, "the same at 11 points"),
    map_voc10=(Fraction, "the same by the area under the curve"),
    iou=(Fraction, "IoU threshold of a true positive by the VOC rules"),
    images=(Count, "images scored"),
    scored_if_any=(str, "the detector or the file that was scored"),
    split_if_any=(str, "the split that was scored"),
    trained_on_if_any=(
        Count | None,
        "how many of the images the detector was trained on; `null` where that is not known",
    ),
    left_out=(list[str], "classes without objects in the split"),
    classes=(dict[str, CLASS], "by name, see below"),
    coco_if_any=(
        dict[str, Fraction | None],
        "with `--metric coco`: `ap`, `ap50`, `ap75`, `ap_small`, `ap_medium`, `ap_large`, `ar_1`, "
        "`ar_10`, `ar_100`, `ar_small`, `ar_medium`, `ar_large`; `null` if there are no such "
        "objects",
    ),
    explanation_if_any=(EXPLANATION, "with `--explain`: see below"),
    threshold_if_any=(
        OPERATING_POINT,
        "of a calibrated detector: the `score` from which boxes are confident ones, their "
        "`precision`, `recall` and `f1`",
    ),
)
_KINDS = object_type("Kind", in_use=Count, in_all=Count, map_if_mended=Fraction, gain=float)
_BY_KIND = dict[str, Count]
ANALYSIS = schema_type(
    "frcnn.analysis/1",
    evaluation=(EVALUATION, "the report above; with `--metric coco` by the area rule"),
    bootstrap=(
        object_type(
            "Bootstrap",
            resamples=Count,
            confidence=Fraction,
            map=Interval,
            classes=dict[str, Interval],
        ),
        "`resamples`, `confidence`; `map` and by name `classes`: `[low, high]`, `null` without "
        "objects",
    ),
    reliability=(
        list[
            object_type("Bin", low=float, high=float, score=float, right=Fraction, detections=Count)
        ],
        "by tenth of the score, `low` to `high`, that has detections: their mean `score`, the "
        "share that is `right`, and their number `detections`; empty if a score is not between 0 "
        "and 1",
    ),
    working_point=(
        OPERATING_POINT,
        "the `score` with the highest `f1`, its `precision` and `recall`",
    ),
    misses=(
        dict[str, _KINDS],
        "by kind (`no_proposal`, `confused`, `localisation`, `suppressed`, `low_score`, "
        "`undetected`): `in_use`, `in_all`, `map_if_mended`, `gain`",
    ),
    false_alarms=(
        dict[str, _KINDS],
        "the same for `background`, `confused`, `localisation`, `duplicate`",
    ),
    classes_in_use=(
        dict[str, object_type("InUse", misses=_BY_KIND, false_alarms=_BY_KIND)],
        "by name: counts of `misses` and `false_alarms` by kind",
    ),
    sizes=(
        dict[str, object_type("Size", objects=Count, found_in_use=Count, found_in_all=Count)],
        "`small` (area below 32²), `medium`, `large` (from 96²): `objects`, `found_in_use`, "
        "`found_in_all`",
    ),
    confusion=(
        object_type("Confusion", names=list[str], counts=list[list[Count]]),
        "`names` of rows and columns, `nothing` first, and `counts`; a row is a true class",
    ),
)
COMPARISON = schema_type(
    "frcnn.comparison/1",
    metric=(Literal["voc07", "voc10"], "the rule of the mAPs"),
    iou=(Fraction, "IoU threshold of a true positive"),
    images=(Count, "images scored"),
    resamples=(Count, "of the bootstrap"),
    map_a=(Fraction, "mAP of A"),
    map_b=(Fraction, "mAP of B"),
    difference=(float, "B − A"),
    interval=(Interval, "of the difference, 95 %: `[low, high]`"),
    excludes_zero=(bool, "whether it does"),
    classes=(
        dict[
            str,
            object_type(
                "ClassDifference",
                objects=Count,
                ap_a=Fraction | None,
                ap_b=Fraction | None,
                difference=float | None,
                interval=Interval,
            ),
        ],
        "by name: `objects`, `ap_a`, `ap_b`, `difference`, `interval`; `null` without objects",
    ),
)
