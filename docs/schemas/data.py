"""What `frcnn data` gives."""

from __future__ import annotations

from schemas.common import Count, object_type, schema_type

_OF_CLASS = dict.fromkeys(("objects", "photographs", "difficult", "small"), Count)
DATA = schema_type(
    "frcnn.data/1",
    format=(str, "what was found"),
    root=(str, "and where"),
    photographs=(Count, "number of usable images"),
    objects=(Count, "number of usable objects"),
    without_objects=(Count, "images without objects"),
    splits=(
        dict[str, object_type("Split", photographs=Count, objects=Count)],
        "by name: `photographs`, `objects`",
    ),
    classes=(
        dict[
            str,
            object_type(
                "ClassCount", category_id_if_any=int, **_OF_CLASS, medium=Count, large=Count
            ),
        ],
        "by name: `objects`, `photographs`, `difficult`, `small`, `medium`, `large`; `category_id` "
        "if the data has one",
    ),
    left_out=(Count, "images left out"),
    clipped=(Count, "boxes clipped"),
    repeated=(Count, "objects that are there twice"),
    overlaps=(list[str], "lines about images that splits share"),
    notes=(list[str], "lines about the data set as a whole"),
    problems=(
        list[
            object_type(
                "DataProblem",
                image_id=str,
                file=str | None,
                problem=str,
                remedy=str,
                left_out=bool,
            )
        ],
        "all problems of the first thousand affected images, one entry each: `image_id`, `file`, "
        "`problem`, `remedy`, `left_out`",
    ),
    converted_if_any=(
        object_type(
            "Converted",
            out=str,
            photographs=Count,
            splits=dict[str, Count],
            left_out=list[str],
            failures=list[str],
        ),
        "with `--to`: `out`, `photographs`, `splits`, `left_out` (splits), `failures`",
    ),
    pictures_if_any=(list[str], "with `--pictures`: their paths"),
)
