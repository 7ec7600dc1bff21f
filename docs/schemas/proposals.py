"""What `frcnn proposals` gives."""

from __future__ import annotations

from schemas.common import FAILED_FILES, Box, Count, Fraction, Seconds, object_type, schema_type

PROPOSALS = schema_type(
    "frcnn.proposals/1",
    photographs=(Count, "number of images, including failed ones"),
    searched=(Count, "images searched now"),
    cached=(Count, "images found in the cache"),
    boxes_median=(Count, "median number of boxes used per image"),
    seconds=(Seconds, "wall time"),
    failures=FAILED_FILES,
    cache=(str, "folder of the cache"),
    export=(str | None, "exported file"),
)
PROPOSAL_BOXES = schema_type(
    "frcnn.proposal_boxes/1",
    images=(
        list[object_type("ProposalBoxes", file=str, boxes=list[Box])],
        "`file` and `boxes` of each image, best first",
    ),
)
_SPREAD = object_type("Spread", mean=float, median=float, least=Count, most=Count)
_RECALL = {
    "objects": Count,
    "recall": dict[str, Fraction] | None,
    "average_recall": Fraction | None,
    "abo": Fraction | None,
}
PROPOSAL_REPORT = schema_type(
    "frcnn.proposal_report/1",
    data_if_any=(str, "data set measured"),
    split_if_any=(str, "its split"),
    photographs=(Count, "number of images"),
    objects=(Count, "number of objects"),
    proposals=(_SPREAD, "per image: `mean`, `median`, `least`, `most`"),
    positives=(
        object_type(
            "Positives",
            mean=float,
            median=float,
            least=Count,
            most=Count,
            photographs_without=Count,
        ),
        "the same for proposals with IoU 0.5 or more, over the images with objects; "
        "`photographs_without` is the number of images without any",
    ),
    recall=(
        dict[str, Fraction] | None,
        'by IoU, `"0.50"` to `"0.95"`: the share of objects that a proposal overlaps so much',
    ),
    average_recall=(Fraction | None, "mean of `recall`"),
    abo=(Fraction | None, "mean of the highest IoU of each object"),
    mabo=(Fraction | None, "mean of the classes' `abo`"),
    ceiling=(
        dict[str, Fraction],
        "mAP at IoU 0.5 of a perfect classifier that moves no box, by `voc07` and `voc10`",
    ),
    recall_by_count=(
        dict[str, Fraction],
        "recall at IoU 0.5 with only the first 10, 20, 50, … proposals per image",
    ),
    classes=(
        dict[str, object_type("ClassRecall", **_RECALL, ceiling_voc07=Fraction | None)],
        "by name: `objects`, `recall`, `average_recall`, `abo`, `ceiling_voc07`; `null` without "
        "objects",
    ),
    sizes=(
        dict[str, object_type("Recall", **_RECALL)],
        "the same for `small`, `medium` and `large`, without the ceiling",
    ),
)
PROPOSAL_IMPORT = schema_type(
    "frcnn.proposal_import/1",
    file=(str, "the file"),
    format=(str, "what it was read as"),
    name=(str, "the name of the proposals"),
    read_as=(str, "convention of the boxes"),
    documented=(str, "convention of this format"),
    recall=(Fraction | None, "at IoU 0.5, if the data has objects"),
    abo=(Fraction | None, "mean of the highest IoU of each object"),
    photographs=(Count, "images with proposals"),
    strangers=(Count, "entries without an image"),
    without=(Count, "images without an entry"),
    clipped=(Count, "boxes clipped to their image"),
    dropped=(Count, "boxes left out"),
    failures=FAILED_FILES,
)
