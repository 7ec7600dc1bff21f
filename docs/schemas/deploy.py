"""What `frcnn compress`, `frcnn export` and `frcnn bench` give."""

from __future__ import annotations

from schemas.common import LINES, Count, Fraction, Seconds, object_type, schema_type

_TRIAL = object_type(
    "Trial",
    ranks=dict[str, Count],
    parameters=Count,
    map=Fraction | None,
    seconds=Seconds | None,
)
COMPRESS = schema_type(
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
    failures=LINES,
)
EXPORT = schema_type(
    "frcnn.export/1",
    file=(str, "the file"),
    bytes=(Count, "its size"),
    checkpoint=(str, "the detector"),
    score_difference=(float, "largest difference of a probability between onnxruntime and ours"),
    box_difference=(float, "largest difference of a box's edge, in pixels"),
)
VARIANT = object_type(
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
BENCH = schema_type(
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
    rcnn=(VARIANT, "R-CNN, see below"),
    plain=(VARIANT, "the plain pipeline"),
    ours=(list[VARIANT], "with one more optimisation each"),
)
