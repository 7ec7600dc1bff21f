"""What `frcnn detect` and `frcnn data --next` give."""

from __future__ import annotations

from schemas.common import LINES, Box, Count, Fraction, Seconds, object_type, schema_type

DETECTION = object_type(
    "Detection",
    label=(str, "name of the class"),
    category_id=(Count, "its number, from 1"),
    score=(Fraction, "sorted by decreasing score"),
    box=(Box, "`[x1, y1, x2, y2]` in pixels from the left and top edge"),
)
IMAGE = object_type(
    "Image",
    file=(str, "the path as given"),
    time_if_any=(Seconds, "seconds from the start, of a frame of a video"),
    width=(Count, "pixels of the upright image, EXIF orientation applied"),
    height=(Count, "the same"),
    proposals=(Count, "number of proposals classified"),
    seconds=(
        dict[str, Seconds],
        "wall time of each step; `proposals` is near 0 if they were cached",
    ),
    detections=(list[DETECTION], "empty if nothing was found"),
)
DETECTIONS = schema_type(
    "frcnn.detections/1",
    model=(
        object_type("Model", checkpoint=str, backbone=str, classes=list[str]),
        "`checkpoint` (the detector's file), `backbone` (its network), `classes` (names of the "
        "labels 1, 2, … in order)",
    ),
    images=(list[IMAGE], "a list, even for one image; failed images are not in it"),
)
DETECT = schema_type(
    "frcnn.detect/1",
    photographs=(Count, "number of images, including failed ones"),
    detections=(Count, "boxes in all images"),
    confident=(Count | None, "the number of confident boxes; `null` without calibration"),
    confident_score=(Fraction | None, "their lowest score"),
    labels=(dict[str, Count], "boxes of each class, the most frequent first"),
    seconds=(dict[str, Seconds], "mean seconds per image of each step"),
    checkpoint=(str, "the detector"),
    out=(str, "where the boxes went"),
    drawn=(str | None, "folder of the pictures"),
    page=(str | None, "the page"),
    failures=LINES,
)
DOUBTFUL = object_type(
    "DoubtfulImage",
    file=(str, "the image"),
    doubt=(float, "number of its boxes that are expected to be judged wrongly"),
    detections=(Count, "number of its boxes"),
    label=(str | None, "the class of the box that the detector is least sure of"),
    score=(Fraction | None, "of that box"),
)
NEXT = schema_type(
    "frcnn.next/1",
    data=(str, "the folder"),
    checkpoint=(str, "the detector"),
    unlabelled=(Count, "number of images without annotation"),
    next=(list[DOUBTFUL], "those of most doubt, see below"),
    failures=LINES,
)
