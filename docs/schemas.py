"""Types of the JSON that frcnn writes, for the tables of the reference and its schemas.json.

    python docs/generate.py

A key's text is its row in the table. Tests validate what the commands write.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal, NotRequired, TypedDict, get_args, get_origin

import msgspec
from msgspec import Meta

from frcnn_cli.config import InputConfig, ModelConfig, ProposalConfig, TrainConfig

Fraction = Annotated[float, Meta(ge=0, le=1)]
Count = Annotated[int, Meta(ge=0)]
PositiveCount = Annotated[int, Meta(ge=1)]
Seconds = Annotated[float, Meta(ge=0)]
Interval = tuple[float, float] | None
Box = tuple[float, float, float, float]


def _type(name: str, /, **keys: Any) -> Any:
    """Returns the type of an object: key → its type, or (type, text for the table)."""
    fields = {}
    for key, given in keys.items():
        kind, text = given if isinstance(given, tuple) else (given, "")
        needed = not key.endswith("_if_any")
        hint = Annotated[kind, Meta(description=text)] if text else kind
        fields[key.removesuffix("_if_any")] = hint if needed else NotRequired[hint]
    return TypedDict(name, fields)  # type: ignore[operator]


def _schema(schema: str, /, **keys: Any) -> Any:
    return _type(schema, schema=Literal[schema], **keys)


_FAILED_FILES = (list[_type("FailedFile", file=str, problem=str)], "`file` and `problem` of each")
_LINES = (list[str], "lines, one per image that failed")

_POINT = _type("Threshold", score=float, precision=Fraction, recall=Fraction)
_OPERATING_POINT = _type(
    "OperatingPoint", score=float, precision=Fraction, recall=Fraction, f1=Fraction
)

PROPOSALS = _schema(
    "frcnn.proposals/1",
    photographs=(Count, "number of images, including failed ones"),
    searched=(Count, "images searched now"),
    cached=(Count, "images found in the cache"),
    boxes_median=(Count, "median number of boxes used per image"),
    seconds=(Seconds, "wall time"),
    failures=_FAILED_FILES,
    cache=(str, "folder of the cache"),
    export=(str | None, "exported file"),
)
TRAINING = _schema(
    "frcnn.training/1",
    run=(str, "folder of the run"),
    checkpoint=(str, "its best checkpoint"),
    steps=(Count, "steps of the run"),
    map_val=(Fraction | None, "mAP of the best checkpoint on the images that selected it"),
    map=(Fraction | None, "mAP at the end"),
    map_split=(str | None, "the split of `map`"),
    threshold=(
        _POINT | None,
        "the `score` from which boxes are confident ones, their `precision` and `recall`",
    ),
    command=(str, "repeats the run"),
    next=(str, "a command to go on with"),
    seconds=(Seconds, "wall time of this call, searching included"),
    failures=_LINES,
)
PREFLIGHT = _schema(
    "frcnn.preflight/1",
    split=(str, "the images to train on"),
    photographs=(Count, "their number"),
    background=(Count, "images without objects"),
    objects=(dict[str, Count], "by class"),
    difficult=(Count, "objects that are not trained on"),
    problems=(
        list[_type("Problem", photograph=str, left_out=bool, problem=str)],
        "`photograph` (its id), `left_out` and `problem` of each",
    ),
    regions=(
        _type("Coverage", photographs=Count, objects=Count, recall=Fraction | None),
        "of the images searched so far: `photographs`, `objects`, `recall` at IoU 0.5",
    ),
    seconds_a_step=(Seconds, "measured on the first step"),
    steps=(Count, "of the run"),
    checkpoints=(Count, "without those of evaluations"),
    seconds_a_checkpoint=(Seconds, "by which it delays the steps"),
    seconds=(Seconds, "of all steps and checkpoints"),
    memory=(Count, "peak bytes"),
    memory_free=(Count | None, "bytes"),
    disk=(Count, "bytes of the run's folder"),
    disk_free=(Count, "bytes"),
    warnings=(list[str], "lines"),
)
_FINDING = _type(
    "Finding",
    photograph=(str, "the image's id; empty for weights"),
    tensor=(str, "its name, such as `backbone.trunk.conv3_1.0, output`"),
    nan=(Count, "number of NaNs"),
    inf=(Count, "number of infinite values"),
    size=(Count, "number of values"),
    largest=(float, "largest magnitude of the finite values"),
)
REPLAY = _schema(
    "frcnn.replay/1",
    step=(PositiveCount, "number of the step"),
    term=(
        Literal["classification", "box", "gradient"],
        "what was not finite when it failed",
    ),
    losses=(
        dict[str, dict[str, float | None]],
        "by image: `classification` and `box`; `null` where one is not finite",
    ),
    findings=(list[_FINDING], "in the order of the computation, see below"),
)
STEP = _type(
    "MetricsStep",
    step=(PositiveCount, "from 1"),
    loss=(float, "the total, `classification` + λ · `box`"),
    classification=(float, "mean log loss"),
    box=(float, "mean smooth L1"),
    foreground=(Count, "number of RoIs with an object"),
    rois=(Count, "number of RoIs"),
    lr=(float, "learning rate of the new layers' weights at this step (`lr` × schedule)"),
    seconds=(Seconds, "wall time of the step, waiting included"),
    waiting=(Seconds, "seconds of it spent waiting for images"),
)
EVALUATED = _type(
    "MetricsEvaluation",
    step=(PositiveCount, "after which it was evaluated"),
    map=(Fraction, "mAP on the images that select the best checkpoint"),
)
FINISHED = _type(
    "MetricsEnd",
    step=(PositiveCount, "the last step"),
    final_map=(Fraction, "mAP of the best checkpoint at the end of the run"),
)
RUN_CONFIG = _type(
    "RunConfig",
    data=(str, "folder of the data set"),
    split=(str | None, "the images to train on"),
    weights=(str, "`imagenet`, `none` or a file"),
    model=(ModelConfig, "the [`[model]` settings](settings.md)"),
    input=(InputConfig, "the `[input]` settings"),
    train=(TrainConfig, "the `[train]` settings, by group"),
    proposals=(ProposalConfig, "the `[proposals]` settings"),
    classes=(list[str], "names of the labels 1, 2, … in order"),
    photographs=(Count, "number of images to train on"),
)
PROPOSAL_BOXES = _schema(
    "frcnn.proposal_boxes/1",
    images=(
        list[_type("ProposalBoxes", file=str, boxes=list[Box])],
        "`file` and `boxes` of each image, best first",
    ),
)
_CLASS = _type(
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
_VARIATION = _type("Variation", convention=str, value=str, map=Fraction, difference=float)
_EXPLANATION = _type(
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
EVALUATION = _schema(
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
    classes=(dict[str, _CLASS], "by name, see below"),
    coco_if_any=(
        dict[str, Fraction | None],
        "with `--metric coco`: `ap`, `ap50`, `ap75`, `ap_small`, `ap_medium`, `ap_large`, `ar_1`, "
        "`ar_10`, `ar_100`, `ar_small`, `ar_medium`, `ar_large`; `null` if there are no such "
        "objects",
    ),
    explanation_if_any=(_EXPLANATION, "with `--explain`: see below"),
    threshold_if_any=(
        _OPERATING_POINT,
        "of a calibrated detector: the `score` from which boxes are confident ones, their "
        "`precision`, `recall` and `f1`",
    ),
)
_DETECTION = _type(
    "Detection",
    label=(str, "name of the class"),
    category_id=(Count, "its number, from 1"),
    score=(Fraction, "sorted by decreasing score"),
    box=(Box, "`[x1, y1, x2, y2]` in pixels from the left and top edge"),
)
IMAGE = _type(
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
    detections=(list[_DETECTION], "empty if nothing was found"),
)
DETECTIONS = _schema(
    "frcnn.detections/1",
    model=(
        _type("Model", checkpoint=str, backbone=str, classes=list[str]),
        "`checkpoint` (the detector's file), `backbone` (its network), `classes` (names of the "
        "labels 1, 2, … in order)",
    ),
    images=(list[IMAGE], "a list, even for one image; failed images are not in it"),
)
DETECT = _schema(
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
    failures=_LINES,
)
_SPREAD = _type("Spread", mean=float, median=float, least=Count, most=Count)
_KINDS = _type("Kind", in_use=Count, in_all=Count, map_if_mended=Fraction, gain=float)
_BY_KIND = dict[str, Count]
ANALYSIS = _schema(
    "frcnn.analysis/1",
    evaluation=(EVALUATION, "the report above; with `--metric coco` by the area rule"),
    bootstrap=(
        _type(
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
        list[_type("Bin", low=float, high=float, score=float, right=Fraction, detections=Count)],
        "by tenth of the score, `low` to `high`, that has detections: their mean `score`, the "
        "share that is `right`, and their number `detections`; empty if a score is not between 0 "
        "and 1",
    ),
    working_point=(
        _OPERATING_POINT,
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
        dict[str, _type("InUse", misses=_BY_KIND, false_alarms=_BY_KIND)],
        "by name: counts of `misses` and `false_alarms` by kind",
    ),
    sizes=(
        dict[str, _type("Size", objects=Count, found_in_use=Count, found_in_all=Count)],
        "`small` (area below 32²), `medium`, `large` (from 96²): `objects`, `found_in_use`, "
        "`found_in_all`",
    ),
    confusion=(
        _type("Confusion", names=list[str], counts=list[list[Count]]),
        "`names` of rows and columns, `nothing` first, and `counts`; a row is a true class",
    ),
)
COMPARISON = _schema(
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
            _type(
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
_TRIAL = _type(
    "Trial",
    ranks=dict[str, Count],
    parameters=Count,
    map=Fraction | None,
    seconds=Seconds | None,
)
COMPRESS = _schema(
    "frcnn.compress/1",
    before=(
        _TRIAL,
        "the original network: `ranks` (0 is the full layer), `parameters` of fc6 and fc7, `map` "
        "and `seconds` of the network per image, or `null`",
    ),
    after=(_TRIAL, "the compressed one"),
    trials=(list[_TRIAL], "the same for all ranks that were scored"),
    photographs=(Count, "number of images scored"),
    out=(str, "the new checkpoint"),
    failures=_LINES,
)
_OF_CLASS = dict.fromkeys(("objects", "photographs", "difficult", "small"), Count)
DATA = _schema(
    "frcnn.data/1",
    format=(str, "what was found"),
    root=(str, "and where"),
    photographs=(Count, "number of usable images"),
    objects=(Count, "number of usable objects"),
    without_objects=(Count, "images without objects"),
    splits=(
        dict[str, _type("Split", photographs=Count, objects=Count)],
        "by name: `photographs`, `objects`",
    ),
    classes=(
        dict[
            str, _type("ClassCount", category_id_if_any=int, **_OF_CLASS, medium=Count, large=Count)
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
            _type(
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
        _type(
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
_DOUBTFUL = _type(
    "DoubtfulImage",
    file=(str, "the image"),
    doubt=(float, "number of its boxes that are expected to be judged wrongly"),
    detections=(Count, "number of its boxes"),
    label=(str | None, "the class of the box that the detector is least sure of"),
    score=(Fraction | None, "of that box"),
)
NEXT = _schema(
    "frcnn.next/1",
    data=(str, "the folder"),
    checkpoint=(str, "the detector"),
    unlabelled=(Count, "number of images without annotation"),
    next=(list[_DOUBTFUL], "those of most doubt, see below"),
    failures=_LINES,
)
_TRAINING_RUN = _type(
    "TrainingRun",
    name=(str, "of the run"),
    folder=(str, "where it is"),
    state=(Literal["finished", "training", "stopped"], "how far it is"),
    data=(str, "the data set"),
    split=(str | None, "what it was trained on"),
    backbone=(str, "the network"),
    recipe=(str, "the one that its settings are closest to"),
    settings=(dict[str, Any], "by which it differs from the recipe and another run"),
    steps=(Count, "taken"),
    iterations=(Count, "configured"),
    map_val=(Fraction | None, "highest mAP on the images that select its checkpoint"),
    map_final=(Fraction | None, "mAP of that checkpoint at the end"),
    map_split=(str | None, "the split of `map_final`"),
    changed=(float, "when it was last written, in seconds since 1970"),
)
RUNS = _schema(
    "frcnn.runs/1",
    cache=(str, "the folder"),
    runs=(list[_TRAINING_RUN], "the one written last first, see below"),
    failures=(list[str], "lines, one per run that cannot be read"),
)
EXPORT = _schema(
    "frcnn.export/1",
    file=(str, "the file"),
    bytes=(Count, "its size"),
    checkpoint=(str, "the detector"),
    score_difference=(float, "largest difference of a probability between onnxruntime and ours"),
    box_difference=(float, "largest difference of a box's edge, in pixels"),
)
_ENTRIES = _type("Entries", kind=str, made_by=str, entries=Count, bytes=Count, used=float)
_RUN = _type("Run", name=str, steps=Count, map_val=Fraction | None, bytes=Count, used=float)
CACHE = _schema(
    "frcnn.cache/1",
    cache=(str, "the folder"),
    bytes=(Count, "its total size"),
    kinds=(
        list[_ENTRIES],
        "list of `kind`, `made_by`, `entries`, `bytes`, `used` (last use, seconds since 1970)",
    ),
    runs=(list[_RUN], "list of `name`, `steps`, `map_val` (or `null`), `bytes`, `used`"),
    temporary=(
        _ENTRIES | None,
        "like an entry of `kinds`, for the files of unfinished writes, or `null`",
    ),
)
VERIFY = _schema(
    "frcnn.cache-verify/1",
    cache=(str, "the folder"),
    whole=(Count, "number of intact files"),
    damaged=_FAILED_FILES,
    later=(_FAILED_FILES[0], "the same of files of a later version"),
    mended=(list[str], "files that `--repair` removed or set aside"),
)
GC = _schema(
    "frcnn.cache-gc/1",
    cache=(str, "the folder"),
    dry_run=(bool, "whether this was a dry run, which removes nothing"),
    bytes=(Count, "bytes freed"),
    removed=(list[_type("Removed", file=str, reason=str)], "`file` and `reason` of each"),
)
_CHECK = _type("Check", name=str, state=Literal["ok", "warning", "broken"], found=str, remedy=str)
DOCTOR = _schema(
    "frcnn.doctor/1",
    broken=(Count, "number of lines with ✗"),
    warnings=(Count, "number of lines with !"),
    checks=(
        list[_CHECK],
        "list of `name`, `state` (`ok`, `warning`, `broken`), `found` and `remedy`",
    ),
)
_VARIANT = _type(
    "Variant",
    name=str,
    seconds=(dict[str, Seconds], "of each stage"),
    network=(Seconds, "total without decoding and search"),
    whole=(Seconds, "total"),
    times_plain_network=(float, "how many times as fast"),
    times_plain_whole=(float, "the same"),
    times_rcnn_network=(float, "the same"),
    gflop=(float, "operations of the network with every RoI computed"),
    floor=(Seconds, "their time at peak speed"),
    peak_memory=(Count | None, "bytes"),
    score_difference=(float | None, "largest difference of a probability from the plain pipeline"),
    box_difference_pixels=(float | None, "the same of a box's edge"),
)
BENCH = _schema(
    "frcnn.bench/1",
    backbone=(str, "the network"),
    weights=(str, 'a file, or `"random"`'),
    device=(str, "where it was measured"),
    processor=(str, "the same"),
    versions=(dict[str, str], "of frcnn and torch"),
    photographs=(list[tuple[int, int]], "width and height of each as the network sees it"),
    regions=(float, "mean number of RoIs per image"),
    rcnn_regions_measured=(Count, "number of those on which R-CNN was run"),
    peak_gflops=(dict[str, float], "of a matrix product of 2048³, by type"),
    precision=(str, "of the last variants"),
    svd_ranks=(tuple[int, int], "the same"),
    rcnn=(_VARIANT, "R-CNN, see below"),
    plain=(_VARIANT, "the plain pipeline"),
    ours=(list[_VARIANT], "with one more optimisation each"),
)

_RECALL = {
    "objects": Count,
    "recall": dict[str, Fraction] | None,
    "average_recall": Fraction | None,
    "abo": Fraction | None,
}
PROPOSAL_REPORT = _schema(
    "frcnn.proposal_report/1",
    data_if_any=(str, "data set measured"),
    split_if_any=(str, "its split"),
    photographs=(Count, "number of images"),
    objects=(Count, "number of objects"),
    proposals=(_SPREAD, "per image: `mean`, `median`, `least`, `most`"),
    positives=(
        _type(
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
        dict[str, _type("ClassRecall", **_RECALL, ceiling_voc07=Fraction | None)],
        "by name: `objects`, `recall`, `average_recall`, `abo`, `ceiling_voc07`; `null` without "
        "objects",
    ),
    sizes=(
        dict[str, _type("Recall", **_RECALL)],
        "the same for `small`, `medium` and `large`, without the ceiling",
    ),
)
PROPOSAL_IMPORT = _schema(
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
    failures=_FAILED_FILES,
)

ALL = (
    *(PROPOSALS, TRAINING, PREFLIGHT, EVALUATION, ANALYSIS, COMPARISON, DETECT, DETECTIONS),
    *(REPLAY, STEP, EVALUATED, FINISHED, RUN_CONFIG, PROPOSAL_BOXES),
    *(BENCH, COMPRESS, DATA, NEXT, EXPORT, RUNS, CACHE, VERIFY, GC, DOCTOR),
    *(PROPOSAL_REPORT, PROPOSAL_IMPORT),
)
INNER = {
    "finding": _FINDING,
    "metrics_step": STEP,
    "run_config": RUN_CONFIG,
    "doubtful_image": _DOUBTFUL,
    "class": _CLASS,
    "explanation": _EXPLANATION,
    "variant": _VARIANT,
    "training_run": _TRAINING_RUN,
    "image": IMAGE,
    "detection": _DETECTION,
}
"""Types that have tables of their own."""


def rows(name: str) -> list[tuple[str, str]]:
    """Returns key and text of each row of a table: of a schema, or of one of `INNER`."""
    kind = INNER.get(name) or next(each for each in ALL if each.__name__ == name)
    schema = {"schema": f'`"{name}"`'} if name not in INNER else {}
    texts = {key: _text(hint) for key, hint in kind.__annotations__.items() if key != "schema"}
    return [(f"`{key}`", text) for key, text in {**schema, **texts}.items()]


def _text(hint: Any) -> str:
    inner = get_args(hint)[0] if get_origin(hint) is NotRequired else hint
    metas = [each for each in get_args(inner)[1:] if isinstance(each, Meta)]
    text = next((each.description for each in metas if each.description), "")
    is_optional = type(None) in get_args(next(iter(get_args(inner)), None))
    return f"{text}; may be `null`" if is_optional and "`null`" not in text else text


def json_schemas() -> dict[str, Any]:
    """Returns one JSON Schema document with the schemas by name under "$defs"."""
    (_, components) = msgspec.json.schema_components(ALL, ref_template="#/$defs/{name}")
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "JSON that frcnn writes",
        "$defs": components,
    }
