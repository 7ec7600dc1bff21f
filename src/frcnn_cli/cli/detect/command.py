"""`frcnn detect`: detects objects in images."""

from __future__ import annotations

import logging
from contextlib import closing
from pathlib import Path
from typing import Annotated, Any

from frcnn_cli.cli import options
from frcnn_cli.cli.detect.summary import STDOUT, Written, as_data, as_summary
from frcnn_cli.cli.options import argument, option, switch
from frcnn_cli.config import DetectConfig, OutputFormat, ProposalConfig, SpeedConfig

_LOGGER = logging.getLogger(__name__)

EXAMPLES = """[bold]Examples[/]

[cyan]frcnn detect photo.jpg --out boxes.json[/]  [dim]your newest detector, or the bundled one[/]

[cyan]frcnn detect holiday/ --out - --draw drawn/ | jq .images[].file[/]  [dim]for pipes[/]

[cyan]frcnn detect holiday/ --score best[/]  [dim]only confident boxes[/]

[cyan]frcnn detect holiday/ --page page/[/]  [dim]a page to look through[/]

[cyan]frcnn detect aerial.jpg --tiles 600[/]  [dim]a large image, window by window[/]

[cyan]frcnn detect clip.mp4 --every 0.5[/]  [dim]two frames per second of a video[/]

[cyan]frcnn detect new/ --format voc[/]  [dim]XML to start annotating from[/]
"""


@options.command(flags=(DetectConfig, SpeedConfig), needs={"draw_score": ("draw", "page")})
def detect(
    context: options.CommandContext,
    paths: Annotated[list[Path], argument("PATH")],
    *,
    out: Annotated[Path | None, option("FILE", default="boxes.json, or by format")] = None,
    output_format: Annotated[
        OutputFormat | None, option("NAME", "--format", default="frcnn; of a video jsonl")
    ] = None,
    score: Annotated[str | None, option("P", default="0.05; for voc and yolo best")] = None,
    classes: Annotated[str | None, option("NAME,NAME…", default="all")] = None,
    draw: Annotated[Path | None, option("DIR")] = None,
    draw_score: Annotated[
        float | None, option("P", default="--score, else best", min=0, max=1)
    ] = None,
    page: Annotated[Path | None, option("DIR")] = None,
    tiles: Annotated[int | None, options.flag(ProposalConfig, "tiles", "as in training")] = None,
    scales: Annotated[str | None, option("PX,PX…", default="the detector's one size")] = None,
    every: Annotated[float, option("SECONDS", min=0)] = 1.0,
    workers: Annotated[
        int | None, option("N", default="one per core, if there is much to search", min=0)
    ] = None,
    scheduler: options.Scheduler = "",
    resume: Annotated[bool, switch("--resume")] = False,
    checkpoint: options.Checkpoint = None,
    run: options.Run = None,
    gpus: options.Gpus = None,
    **chosen: Any,
) -> None:
    """Detect objects in images and write their boxes.

    Args:
        paths: Images, folders of images, or videos.
        out: Output; - is stdout. For voc and yolo, a new folder.
        output_format: frcnn, coco, jsonl or csv; voc or yolo for annotation tools.
        score: Detections with a lower score are dropped; best: the detector's own threshold, from
            which they are confident ones.
        classes: Detections of other classes are dropped.
        draw: Also write annotated images; of a video, an annotated one.
        draw_score: Score threshold of a drawn box.
        page: Also write one HTML page of all images, to look through.
        scales: Several image scales (short sides); each RoI uses the best one (§2.4).
        every: Seconds between the frames of a video.
        workers: Processes that decode and search; 0: use only this process.
        resume: Continue where the same command was stopped.
    """
    from frcnn_cli.cli.detect.chosen import format_of, select, target_of
    from frcnn_cli.cli.detect.outputs import open_outputs
    from frcnn_cli.data.image_files import find_images
    from frcnn_cli.detection.choice import choose_checkpoint, proposals_for
    from frcnn_cli.detection.detector import DetectionJob, LoadedDetector
    from frcnn_cli.detection.inputs import inputs_of
    from frcnn_cli.detection.kept import KeptDetections
    from frcnn_cli.detection.loop import STEP, detect_images
    from frcnn_cli.detection.page import require_page_folder
    from frcnn_cli.runtime.device import pick_device
    from frcnn_cli.runtime.progress import tracked

    terminal, cache = context.terminal, context.cache
    device, settings = pick_device(gpus), context.settings()
    files = find_images(paths)
    output_format = format_of(output_format, files)
    written = Written(target_of(out, output_format, files), draw, page)
    require_page_folder(page)
    weights = choose_checkpoint(checkpoint, cache, run)
    speed = settings.apply(SpeedConfig(), precision=chosen.pop("precision"))
    detector = LoadedDetector.load(weights.file, device, speed)
    chosen["scales"] = options.whole_numbers("--scales", scales, "--scales 480,688,1200")
    selection = select(
        settings.apply(DetectConfig(), **chosen),
        settings,
        detector,
        score=score,
        drawn=draw_score,
        classes=classes,
        output_format=output_format,
    )
    proposals = proposals_for(detector.info.tiles, settings, tiles)
    job = DetectionJob(detector, cache, proposals, selection.before_labels())
    images = inputs_of(files, every)
    kept = KeptDetections(job, cache, weights.file, reads=resume)
    if resume and not any(map(kept.holds, images)):
        _LOGGER.warning("there is nothing to resume for %s; it starts afresh", written.out)
    opened = open_outputs(
        written, output_format, images, job=job, weights=weights, selection=selection
    )
    results = detect_images(images, job, kept=kept, workers=workers, scheduler=scheduler)
    terminal.if_interrupted = f"the finished images are in {written.out}; --resume continues"
    with terminal.progress() as report, opened as outputs, closing(results):
        for image, result in zip(tracked(images, STEP, report), results, strict=True):
            outputs.add(image, result)
    totals = outputs.totals
    summary = as_summary(totals, weights, written)
    if written.out == STDOUT:
        terminal.say(summary)  # stdout carries the boxes and nothing else
    else:
        terminal.result(as_data(totals, weights, written), summary)
    terminal.finish(totals.failures, succeeded=totals.images)
