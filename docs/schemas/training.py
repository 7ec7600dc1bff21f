"""What `frcnn train`, `frcnn runs` and a run's folder give."""

from __future__ import annotations

from typing import Any, Literal

from frcnn_cli.config import InputConfig, ModelConfig, ProposalConfig, TrainConfig
from schemas.common import (
    LINES,
    POINT,
    Count,
    Fraction,
    PositiveCount,
    Seconds,
    object_type,
    schema_type,
)

TRAINING = schema_type(
    "frcnn.training/1",
    run=(str, "folder of the run"),
    checkpoint=(str, "its best checkpoint"),
    steps=(Count, "steps of the run"),
    map_val=(Fraction | None, "mAP of the best checkpoint on the images that selected it"),
    map=(Fraction | None, "mAP at the end"),
    map_split=(str | None, "the split of `map`"),
    threshold=(
        POINT | None,
        "the `score` from which boxes are confident ones, their `precision` and `recall`",
    ),
    command=(str, "repeats the run"),
    next=(str, "a command to go on with"),
    seconds=(Seconds, "wall time of this call, searching included"),
    failures=LINES,
)
PREFLIGHT = schema_type(
    "frcnn.preflight/1",
    split=(str, "the images to train on"),
    photographs=(Count, "their number"),
    background=(Count, "images without objects"),
    objects=(dict[str, Count], "by class"),
    difficult=(Count, "objects that are not trained on"),
    problems=(
        list[object_type("Problem", photograph=str, left_out=bool, problem=str)],
        "`photograph` (its id), `left_out` and `problem` of each",
    ),
    regions=(
        object_type("Coverage", photographs=Count, objects=Count, recall=Fraction | None),
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
FINDING = object_type(
    "Finding",
    photograph=(str, "the image's id; empty for weights"),
    tensor=(str, "its name, such as `backbone.trunk.conv3_1.0, output`"),
    nan=(Count, "number of NaNs"),
    inf=(Count, "number of infinite values"),
    size=(Count, "number of values"),
    largest=(float, "largest magnitude of the finite values"),
)
REPLAY = schema_type(
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
    findings=(list[FINDING], "in the order of the computation, see below"),
)
STEP = object_type(
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
EVALUATED = object_type(
    "MetricsEvaluation",
    step=(PositiveCount, "after which it was evaluated"),
    map=(Fraction, "mAP on the images that select the best checkpoint"),
)
FINISHED = object_type(
    "MetricsEnd",
    step=(PositiveCount, "the last step"),
    final_map=(Fraction, "mAP of the best checkpoint at the end of the run"),
)
RUN_CONFIG = object_type(
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
TRAINING_RUN = object_type(
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
RUNS = schema_type(
    "frcnn.runs/1",
    cache=(str, "the folder"),
    runs=(list[TRAINING_RUN], "the one written last first, see below"),
    failures=(list[str], "lines, one per run that cannot be read"),
)
