"""`frcnn detect`: detects objects in images."""

from __future__ import annotations

import logging
import sys
from collections import Counter
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from rich.console import RenderableType

from frcnn_cli.cli import options
from frcnn_cli.cli.options import argument, option, switch
from frcnn_cli.cli.text import count, duration, facts
from frcnn_cli.config import DetectConfig, OutputFormat, ProposalConfig, SpeedConfig
from frcnn_cli.errors import FrcnnError

if TYPE_CHECKING:
    from frcnn_cli.records import DetectedImage

_STDOUT = Path("-")
_LOGGER = logging.getLogger(__name__)
_NAMED = 8
"""Classes that the closing lines name."""

EXAMPLES = """[bold]Examples[/]

[cyan]frcnn detect photo.jpg --out boxes.json[/]  [dim]your newest detector, or the bundled one[/]

[cyan]frcnn detect holiday/ --out - --draw drawn/ | jq .images[].file[/]  [dim]for pipes[/]

[cyan]frcnn detect new/ --format voc --score 0.5[/]  [dim]XML to start annotating from[/]
"""


@options.command(flags=(DetectConfig, SpeedConfig))
def detect(
    context: options.CommandContext,
    paths: Annotated[list[Path], argument("PATH")],
    *,
    out: Annotated[Path | None, option("FILE", default="boxes.json, or by format")] = None,
    output_format: Annotated[OutputFormat, option("NAME", "--format")] = "frcnn",
    draw: Annotated[Path | None, option("DIR")] = None,
    scales: Annotated[str | None, option("PX,PX…", default="the detector's one size")] = None,
    workers: Annotated[
        int | None, option("N", default="one per core, if there is much to search", min=0)
    ] = None,
    scheduler: options.Scheduler = "",
    resume: Annotated[bool, switch("--resume")] = False,
    checkpoint: options.Checkpoint = None,
    gpus: options.Gpus = None,
    **chosen: Any,
) -> None:
    """Detect objects in images and write their boxes.

    Args:
        paths: Images, or folders of images.
        out: Output; - is stdout. For voc and yolo, a new folder.
        output_format: frcnn, coco, jsonl or csv; voc or yolo for annotation tools.
        draw: Also write annotated images.
        scales: Several image scales (short sides); each RoI uses the best one (§2.4).
        workers: Processes that decode and search; 0: use only this process.
        resume: Continue where the same command was stopped.
    """
    with context.terminal() as terminal:
        from frcnn_cli.cache.store import Cache
        from frcnn_cli.data.images import find_images
        from frcnn_cli.detection.detector import DetectionJob, LoadedDetector, choose_checkpoint
        from frcnn_cli.detection.formats import registry
        from frcnn_cli.detection.kept import KeptDetections
        from frcnn_cli.detection.loop import STEP, detect_images
        from frcnn_cli.detection.pictures import draw_each
        from frcnn_cli.detection.prefetch import ImageInput
        from frcnn_cli.runtime.device import pick_device

        cache, device = Cache(context.cache_dir), pick_device(gpus)
        files = find_images(paths)
        out = out or registry.DEFAULT_TARGETS[output_format]
        registry.check_target(output_format, out)
        registry.check_names(output_format, files)
        weights = choose_checkpoint(checkpoint, cache)
        settings = context.settings()
        speed = settings.apply("speed", SpeedConfig(), precision=chosen.pop("precision"))
        job = DetectionJob(
            detector=LoadedDetector.load(weights, device, speed),
            cache=cache,
            proposals=settings.apply("proposals", ProposalConfig()),
            config=settings.apply(
                "detect",
                DetectConfig(),
                **chosen,
                scales=options.whole_numbers("--scales", scales, "--scales 480,688,1200"),
            ),
        )
        info = job.detector.info
        writer = registry.open_writer(
            output_format,
            sys.stdout if out == _STDOUT else out,
            classes=info.classes,
            checkpoint=str(weights),
            backbone=info.model.backbone,
            annotations=True,
        )
        images = [ImageInput(file) for file in files]
        kept = KeptDetections.of(job, cache, weights, reads=resume)
        if resume and not any(map(kept.holds, images)):
            _LOGGER.warning("there is nothing to resume for %s; it starts afresh", out)
        results = detect_images(images, job, kept=kept, workers=workers, scheduler=scheduler)
        if draw is not None:
            results = draw_each(results, draw, files, info.classes)
        tally, interrupted = _Totals(info.classes), None
        terminal.if_interrupted = f"the finished images are in {out}; --resume continues"
        with terminal.progress() as report, writer, closing(results):
            try:
                for done, result in enumerate(results, start=1):
                    tally.add(result)
                    if not isinstance(result, FrcnnError):
                        writer.write(result)
                    report(STEP, done, len(files))
            except KeyboardInterrupt as stop:
                interrupted = stop  # the file is finished first
        if interrupted is not None:
            raise interrupted
        summary = _as_summary(tally, weights, out, draw)
        if out == _STDOUT:
            terminal.say(summary)  # stdout carries the boxes and nothing else
        else:
            terminal.result(_as_data(tally, weights, out, draw), summary)
        terminal.finish(tally.failures, succeeded=tally.images)


class _Totals:
    """The results so far, for the closing lines; memory stays flat."""

    def __init__(self, classes: tuple[str, ...]) -> None:
        self._classes = classes
        self.images = 0
        self.labels: Counter[str] = Counter()
        self.failures: list[FrcnnError] = []
        self._seconds: Counter[str] = Counter()

    def add(self, image: DetectedImage | FrcnnError) -> None:
        if isinstance(image, FrcnnError):
            self.failures.append(image)
            return
        self.images += 1
        self.labels.update(self._classes[int(label) - 1] for label in image.detections.labels)
        self._seconds.update(image.seconds)

    def seconds(self) -> dict[str, float]:
        """Returns the mean time of each step per image."""
        return {step: total / max(self.images, 1) for step, total in self._seconds.items()}


def _as_data(tally: _Totals, checkpoint: Path, out: Path, draw: Path | None) -> dict[str, Any]:
    return {
        "schema": "frcnn.detect/1",
        "photographs": tally.images + len(tally.failures),
        "detections": sum(tally.labels.values()),
        "labels": dict(tally.labels.most_common()),
        "seconds": {step: round(value, 4) for step, value in tally.seconds().items()},
        "checkpoint": str(checkpoint),
        "out": str(out),
        "drawn": None if draw is None else str(draw),
        "failures": [str(failure) for failure in tally.failures],
    }


def _as_summary(tally: _Totals, checkpoint: Path, out: Path, draw: Path | None) -> RenderableType:
    found = tally.labels.most_common(_NAMED)
    named = ", ".join(f"{name} {number}" for name, number in found)
    detections = count(sum(tally.labels.values()), "detection")
    return facts(
        f"{detections} in {count(tally.images, 'image')}",
        {
            "found": named + (", …" if len(tally.labels) > _NAMED else ""),
            "boxes": "" if out == _STDOUT else str(out),
            "pictures": "" if draw is None else str(draw),
            "detector": str(checkpoint),
            "time": ", ".join(f"{step} {duration(s)}" for step, s in tally.seconds().items()),
            "failed": f"{len(tally.failures):,}, listed below" if tally.failures else "",
        },
        complete=not tally.failures,
    )
