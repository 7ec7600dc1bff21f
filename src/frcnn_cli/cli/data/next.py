"""`frcnn data --next`: which images to annotate next."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.console import Group, RenderableType
from rich.text import Text

from frcnn_cli.cli import options
from frcnn_cli.cli.text import count, facts, table
from frcnn_cli.config import DetectConfig, SpeedConfig

if TYPE_CHECKING:
    from frcnn_cli.detection.choice import ChosenCheckpoint
    from frcnn_cli.detection.doubt import DoubtfulImage
    from frcnn_cli.errors import FrcnnError
    from frcnn_cli.records import DetectedImage


def print_next(
    context: options.CommandContext,
    folder: Path,
    most: int,
    *,
    checkpoint: Path | None,
    run: str | None,
    gpus: int | None,
) -> None:
    """Detects in the unlabelled images of a folder and prints those of most doubt.

    Args:
        context: of the command.
        folder: the images, some of which may be annotated.
        most: how many to print.
        checkpoint: the detector, see `choose_checkpoint`.
        run: its run.
        gpus: see `pick_device`.
    """
    from frcnn_cli.data.inspect.unlabelled import unlabelled_images
    from frcnn_cli.detection.choice import choose_checkpoint, proposals_for
    from frcnn_cli.detection.detector import DetectionJob, LoadedDetector
    from frcnn_cli.detection.doubt import most_doubtful
    from frcnn_cli.detection.inputs import ImageInput
    from frcnn_cli.detection.kept import KeptDetections
    from frcnn_cli.detection.loop import STEP, detect_images
    from frcnn_cli.errors import FrcnnError
    from frcnn_cli.runtime.device import pick_device
    from frcnn_cli.runtime.progress import tracked

    terminal = context.terminal
    cache, settings, device = context.cache, context.settings(), pick_device(gpus)
    weights = choose_checkpoint(checkpoint, cache, run)
    images = [ImageInput(path) for path in unlabelled_images(folder)]
    detector = LoadedDetector.load(weights.file, device, settings.apply(SpeedConfig()))
    job = DetectionJob(
        detector,
        cache,
        proposals_for(detector.info.tiles, settings),
        settings.apply(DetectConfig()),
    )
    kept = KeptDetections(job, cache, weights.file)
    failures: list[FrcnnError] = []
    terminal.if_interrupted = "the detections so far are kept; the same command continues"
    with terminal.progress() as report:
        results = detect_images(images, job, kept=kept, workers=None)

        def detected() -> Iterator[DetectedImage]:
            for _, result in zip(tracked(images, STEP, report), results, strict=True):
                if isinstance(result, FrcnnError):
                    failures.append(result)
                else:
                    yield result

        found = most_doubtful(detected(), most)
    classes = detector.info.classes
    data = {
        "schema": "frcnn.next/1",
        "data": str(folder),
        "checkpoint": weights.name,
        "unlabelled": len(images),
        "next": [_as_data(image, classes) for image in found],
        "failures": [str(failure) for failure in failures],
    }
    shown = _shown(found, classes, weights, len(images), complete=not failures)
    terminal.result(data, shown, is_table=True)
    terminal.finish(failures, succeeded=len(images) - len(failures))


def _as_data(image: DoubtfulImage, classes: Sequence[str]) -> dict[str, Any]:
    return {
        **asdict(image),
        "doubt": round(image.doubt, 4),
        "label": classes[image.label - 1] if image.label else None,
        "score": round(image.score, 6) if image.label else None,
    }


def _shown(
    found: Sequence[DoubtfulImage],
    classes: Sequence[str],
    weights: ChosenCheckpoint,
    unlabelled: int,
    *,
    complete: bool,
) -> RenderableType:
    shown = table(dict.fromkeys(("image", "doubt", "boxes", "least sure of"), ""))
    for each in found:
        least = f"{classes[each.label - 1]} {each.score:.2f}" if each.label else "–"
        shown.add_row(Text(each.file), f"{each.doubt:.2f}", f"{each.detections:,}", Text(least))
    rows = {"detector": weights.words, "doubt": "boxes expected to be judged wrongly"}
    title = f"{len(found):,} to annotate next, of {count(unlabelled, 'unlabelled image')}"
    if not found:
        return facts(f"{count(unlabelled, 'unlabelled image')}", {}, complete=complete)
    return Group(shown, facts(title, rows, complete=complete))
