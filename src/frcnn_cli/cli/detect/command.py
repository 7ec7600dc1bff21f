"""`frcnn detect`: detects objects in images."""

from __future__ import annotations

import logging
import sys
from collections.abc import Callable, Generator, Iterable, Sequence
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from frcnn_cli.cli import options
from frcnn_cli.cli.detect.chosen import format_of, labels_of, target_of, with_thresholds
from frcnn_cli.cli.detect.summary import STDOUT, Totals, Written, as_data, as_summary
from frcnn_cli.cli.options import argument, option, switch
from frcnn_cli.config import DetectConfig, OutputFormat, ProposalConfig, SpeedConfig, override
from frcnn_cli.errors import FrcnnError

if TYPE_CHECKING:
    from frcnn_cli.detection.formats.writer import DetectionWriter
    from frcnn_cli.detection.inputs import ImageInput
    from frcnn_cli.records import DetectedImage

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
    from frcnn_cli.data.image_files import find_images
    from frcnn_cli.detection.choice import choose_checkpoint, proposals_for
    from frcnn_cli.detection.detector import DetectionJob, LoadedDetector
    from frcnn_cli.detection.formats import registry
    from frcnn_cli.detection.formats.writer import WriterContext
    from frcnn_cli.detection.inputs import inputs_of
    from frcnn_cli.detection.kept import KeptDetections
    from frcnn_cli.detection.loop import STEP, detect_images
    from frcnn_cli.detection.page import require_page_folder
    from frcnn_cli.runtime.device import pick_device

    cache, device, settings = context.cache, pick_device(gpus), context.settings()
    files = find_images(paths)
    output_format = format_of(output_format, files)
    out = target_of(out, output_format)
    registry.check_names(output_format, files)
    require_page_folder(page)
    written = Written(out, draw, page)
    weights = choose_checkpoint(checkpoint, cache, run)
    speed = settings.apply(SpeedConfig(), precision=chosen.pop("precision"))
    detector = LoadedDetector.load(weights.file, device, speed)
    info = detector.info
    config = settings.apply(
        DetectConfig(),
        **chosen,
        scales=options.whole_numbers("--scales", scales, "--scales 480,688,1200"),
    )
    config, draw_score = with_thresholds(
        config,
        score,
        draw_score,
        confident=detector.confident_score(config),
        is_set="score_threshold" in settings.tables.get("detect", {}),
        is_start=output_format in registry.FOLDERS,
    )
    labels = labels_of(classes, info.classes)
    # With --classes, the best of these and not those among the best of all.
    asked = override(config, {"max_per_image": 0}) if labels else config
    job = DetectionJob(detector, cache, proposals_for(info.tiles, settings, tiles), asked)
    writer = registry.open_writer(
        output_format,
        sys.stdout if out == STDOUT else out,
        WriterContext(info.classes, weights.name, info.model.backbone, annotations=True),
    )
    images = inputs_of(files, every)
    kept = KeptDetections(job, cache, weights.file, reads=resume)
    if resume and not any(map(kept.holds, images)):
        _LOGGER.warning("there is nothing to resume for %s; it starts afresh", out)
    results = detect_images(images, job, kept=kept, workers=workers, scheduler=scheduler)
    if labels:
        results = _only(results, labels, config.max_per_image)
    results = _with_pictures(
        results, images, info.classes, written, (config.score_threshold, draw_score)
    )
    tally = Totals(info.classes, config.score_threshold, detector.confident_score(config))
    context.terminal.if_interrupted = f"the finished images are in {out}; --resume continues"
    with context.terminal.progress() as report, writer, closing(results):
        interrupted = _write(results, writer, tally, lambda n: report(STEP, n, len(images)))
    if interrupted is not None:
        raise interrupted
    summary = as_summary(tally, weights, written)
    if out == STDOUT:
        context.terminal.say(summary)  # stdout carries the boxes and nothing else
    else:
        context.terminal.result(as_data(tally, weights, written), summary)
    context.terminal.finish(tally.failures, succeeded=tally.images)


def _with_pictures(
    results: Generator[DetectedImage | FrcnnError],
    images: Sequence[ImageInput],
    classes: Sequence[str],
    written: Written,
    thresholds: tuple[float, float],
) -> Generator[DetectedImage | FrcnnError]:
    """Returns `results`, of which each is also drawn or put into a page, where that is asked for.

    Args:
        results: of `images`.
        images: in the same order.
        classes: names of the labels 1..K.
        written: where they are drawn, and the page.
        thresholds: score thresholds of a detection, and of a drawn one.
    """
    from frcnn_cli.detection.page import open_page
    from frcnn_cli.detection.pictures import drawings
    from frcnn_cli.detection.show import show_each

    shows = []
    if written.draw is not None:
        shows.append(drawings(written.draw, images, classes, thresholds[1]))
    if written.page is not None:
        shows.append(open_page(written.page, len(images), classes, scores=thresholds))
    return show_each(results, images, shows) if shows else results


def _write(
    results: Iterable[DetectedImage | FrcnnError],
    writer: DetectionWriter,
    tally: Totals,
    report: Callable[[int], None],
) -> KeyboardInterrupt | None:
    """Writes `results` as they come; returns Ctrl-C, so that the file is finished first.

    Args:
        results: of each image.
        writer: opened.
        tally: to which they are added.
        report: called with the number of images done.
    """
    try:
        for done, result in enumerate(results, start=1):
            tally.add(result)
            if not isinstance(result, FrcnnError):
                writer.write(result)
            report(done)
    except KeyboardInterrupt as stop:
        return stop
    return None


def _only(
    results: Generator[DetectedImage | FrcnnError], labels: Sequence[int], most: int
) -> Generator[DetectedImage | FrcnnError]:
    """Yields `results` with the detections of `labels`, at most so many per image; 0: all."""
    import numpy as np

    with closing(results):
        for result in results:
            if isinstance(result, FrcnnError):
                yield result
                continue
            rows = np.flatnonzero(np.isin(result.detections.labels, labels))
            yield replace(result, detections=result.detections.take(rows[: most or None]))
