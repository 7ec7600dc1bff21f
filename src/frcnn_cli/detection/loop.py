"""The detection loop of `frcnn detect`, `frcnn eval`, training's validation and the Python API."""

from __future__ import annotations

import logging
from collections.abc import Generator, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import replace

import torch

from frcnn_cli.detection.detector import DetectionJob, on_cpu
from frcnn_cli.detection.evidence import diagnose_objects
from frcnn_cli.detection.kept import KeptDetections
from frcnn_cli.detection.prefetch import (
    ImageInput,
    ImageTask,
    Prepared,
    needs_search,
    prefetch,
    prepare,
)
from frcnn_cli.detection.stage_timer import StageTimer
from frcnn_cli.detection.voting import postprocess_with_votes
from frcnn_cli.errors import CacheError, DataError, DeviceError, FrcnnError
from frcnn_cli.model.fast_rcnn import RegionOutput
from frcnn_cli.records import DetectedImage, Detections, GroundTruthDiagnostics, Sample
from frcnn_cli.runtime.process_pool import all_cores
from frcnn_cli.runtime.progress import Progress, silent

STEP = "Detecting"
_LOGGER = logging.getLogger(__name__)


def detect_images(
    images: Sequence[ImageInput],
    job: DetectionJob,
    *,
    kept: KeptDetections | None = None,
    workers: int | None = 0,
    scheduler: str = "",
) -> Generator[DetectedImage | FrcnnError]:
    """Yields, for each image in order, what was found or why it failed.

    Args:
        images: files, or pixels.
        job: the detector and its settings.
        kept: what it holds is not detected again, and what is detected is kept there at once; of
            images that are files.
        workers: processes that decode and search while the network runs; 0: only this one;
            None: one per core where there is much to search.
        scheduler: address of a Dask scheduler whose workers search instead.
    """
    sizes = job.detector.sizes(job.config)
    tasks = [ImageTask(image, job.proposals, job.cache, sizes) for image in images]
    held = {i for i, image in enumerate(images) if kept is not None and kept.holds(image)}
    new = [task for i, task in enumerate(tasks) if i not in held]
    with _prefetched(new, job.detector.device, workers, scheduler) as prefetched:
        for i, task in enumerate(tasks):
            found = kept.load(task.image) if kept is not None and i in held else None
            if found is not None:
                yield found
                continue
            # An entry of the cache that was damaged is detected here, out of turn.
            ready = prepare(task) if prefetched is None or i in held else next(prefetched)
            if isinstance(ready, FrcnnError):
                yield ready
                continue
            try:
                timer = StageTimer(job.detector.device)
                output = job.detector.forward_views(ready.views, timer)
                found = _detected(task.image, ready, output, job, timer)
            except torch.OutOfMemoryError:
                torch.cuda.empty_cache()
                yield _out_of_memory(task.image)
                continue
            if kept is not None and not _keep(found, task.image, kept):
                kept = None
            yield found


def detect_image(image: ImageInput, job: DetectionJob) -> DetectedImage:
    """Returns what is found in one image.

    Raises:
        FrcnnError: it cannot be read or searched, or the GPU has no memory for it.
    """
    (found,) = detect_images([image], job)
    if isinstance(found, FrcnnError):
        raise found
    return found


def detect_samples(
    samples: Sequence[Sample],
    job: DetectionJob,
    *,
    kept: KeptDetections | None = None,
    progress: Progress = silent,
) -> tuple[dict[str, Detections], dict[str, GroundTruthDiagnostics], list[FrcnnError]]:
    """Detects in annotated images, whose ground truth is diagnosed if the job says so.

    Args:
        samples: the images.
        job: the detector and its settings.
        kept: see `detect_images`.
        progress: called after each image.

    Returns:
        By image id the detections, rounded as files of detections are so that such a file scores
        the same, and the diagnostics; and why the other images have none.
    """
    found: dict[str, Detections] = {}
    diagnostics: dict[str, GroundTruthDiagnostics] = {}
    failures: list[FrcnnError] = []
    images = [ImageInput(sample.path, truth=sample) for sample in samples]
    results = zip(samples, detect_images(images, job, kept=kept), strict=True)
    for done, (sample, result) in enumerate(results, start=1):
        if isinstance(result, FrcnnError):
            failures.append(result)
        else:
            found[sample.image_id] = result.detections.rounded()
            if result.diagnostics is not None:
                diagnostics[sample.image_id] = result.diagnostics
        progress(STEP, done, len(samples))
    return found, diagnostics, failures


@torch.inference_mode()
def _detected(
    image: ImageInput, ready: Prepared, output: RegionOutput, job: DetectionJob, timer: StageTimer
) -> DetectedImage:
    """Returns what the network's output for the proposals of an image makes of it."""
    model, boxes = job.detector.model, torch.from_numpy(ready.proposals)
    config, calibration = job.config, job.detector.calibration(job.config)
    if calibration is not None:
        config = replace(config, score_threshold=calibration.raw(config.score_threshold))
    if job.proposals.tiles:
        config = replace(config, max_per_image=config.max_per_image * len(ready.views))
    output = on_cpu(output)
    timer("network")
    network = sum(timer.seconds.values())
    diagnostics = None
    if job.match_iou is not None and image.truth is not None:
        diagnostics = diagnose_objects(
            output, boxes, model, ready.size, image.truth, config=config, iou=job.match_iou
        )
    timer("diagnostics")
    found = postprocess_with_votes(output, boxes, model, ready.size, config)
    if calibration is not None:
        found = replace(found, scores=calibration.apply(found.scores))
        if diagnostics is not None:
            likely = calibration.apply(diagnostics.candidate_score)
            diagnostics = replace(diagnostics, candidate_score=likely)
    timer("postprocess")
    seconds = {**ready.seconds, "network": network, "postprocess": timer.seconds["postprocess"]}
    return DetectedImage(
        image.file, *ready.size, len(boxes), found, seconds, diagnostics, image.time
    )


def _keep(found: DetectedImage, image: ImageInput, kept: KeptDetections) -> bool:
    """Keeps what was found; returns whether the cache can be written."""
    try:
        kept.save(image, found)
    except CacheError as error:
        _LOGGER.warning("detections are not kept: %s", error)
        return False
    except DataError:
        return True  # the image was removed meanwhile
    return True


def _out_of_memory(image: ImageInput) -> DeviceError:
    remedy = "lower --scales, close what else uses the GPU, or detect it with --gpus 0"
    return DeviceError("the GPU has no memory for it", remedy=remedy, file=image.path)


@contextmanager
def _prefetched(
    tasks: Sequence[ImageTask], device: torch.device, workers: int | None, scheduler: str
) -> Iterator[Iterator[Prepared | FrcnnError] | None]:
    """Yields the prepared images, from other processes; None where this one is to prepare them.

    On a CPU half of the cores are left to the processes that search, which need about as much as we
    do: with more threads than cores, those that have a core wait for those that have none.
    """
    if workers is None and not scheduler:
        workers = all_cores() if needs_search(tasks) else 0
    if not tasks or (not scheduler and (not workers or len(tasks) == 1)):
        yield None
        return
    threads = torch.get_num_threads()
    if device.type == "cpu" and not scheduler:
        torch.set_num_threads(max(1, threads // 2))
    try:
        with closing(prefetch(tasks, workers or 0, scheduler)) as prepared:
            yield prepared
    finally:
        torch.set_num_threads(threads)
