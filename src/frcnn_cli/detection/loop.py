"""The detection loop of `frcnn detect`, `frcnn eval`, training's validation and the Python API."""

from __future__ import annotations

import logging
from collections.abc import Collection, Generator, Iterator, Sequence
from contextlib import closing, contextmanager

import torch

from frcnn_cli.detection.detector import DetectionJob
from frcnn_cli.detection.evidence import object_scores
from frcnn_cli.detection.gpu_batch import WINDOW, ReadyImage, detect_on_gpu
from frcnn_cli.detection.inputs import ImageInput
from frcnn_cli.detection.kept import KeptDetections
from frcnn_cli.detection.prefetch import (
    ImageTask,
    Prepared,
    needs_search,
    prefetch,
    prepare,
    require_cache,
)
from frcnn_cli.detection.stage_timer import StageTimer
from frcnn_cli.detection.voting import postprocess_with_votes
from frcnn_cli.errors import CacheError, DataError, FrcnnError
from frcnn_cli.records import DetectedImage, Detections, GroundTruthDiagnostics, Sample
from frcnn_cli.runtime.ahead import read_ahead
from frcnn_cli.runtime.cores import all_cores
from frcnn_cli.runtime.progress import Progress, silent, tracked

STEP = "Detecting"
_DECODERS = 8
"""Largest number of processes that decode images for a GPU."""
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
            None: one per core where there is much to search, some for a GPU.
        scheduler: address of a Dask scheduler whose workers search instead.

    Raises:
        CacheError: images are to be searched, and the cache cannot be written.
        FrcnnError: the processes or the cluster cannot be used.
    """
    sizes = job.detector.sizes(job.config)
    tasks = [ImageTask(image, job.proposals, job.cache, sizes) for image in images]
    held = {i for i, image in enumerate(images) if kept is not None and kept.holds(image)}
    new = [task for i, task in enumerate(tasks) if i not in held]
    require_cache(new)
    detect = detect_on_gpu if job.detector.device.type == "cuda" else _detect_in_turn
    with _prefetched(new, job.detector.device, workers, scheduler) as prefetched:
        ready = _ready(tasks, held, kept, prefetched)
        for image, found, is_new in detect(ready, job):
            if kept is not None and is_new and isinstance(found, DetectedImage):
                kept = kept if _keep(found, image, kept) else None
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
    workers: int | None = None,
    progress: Progress = silent,
) -> tuple[dict[str, Detections], dict[str, GroundTruthDiagnostics], list[FrcnnError]]:
    """Detects in annotated images, whose ground truth is diagnosed if the job says so.

    Args:
        samples: the images.
        job: the detector and its settings.
        kept: see `detect_images`.
        workers: see `detect_images`.
        progress: called after each image.

    Returns:
        By image id the detections, rounded as files of detections are so that such a file scores
        the same, and the diagnostics; and why the other images have none.
    """
    found: dict[str, Detections] = {}
    diagnostics: dict[str, GroundTruthDiagnostics] = {}
    failures: list[FrcnnError] = []
    images = [ImageInput(sample.path, truth=sample) for sample in samples]
    results = detect_images(images, job, kept=kept, workers=workers)
    for sample, result in zip(tracked(samples, STEP, progress), results, strict=True):
        if isinstance(result, FrcnnError):
            failures.append(result)
        else:
            found[sample.image_id] = result.detections.rounded()
            if result.diagnostics is not None:
                diagnostics[sample.image_id] = result.diagnostics
    return found, diagnostics, failures


def _ready(
    tasks: Sequence[ImageTask],
    held: Collection[int],
    kept: KeptDetections | None,
    prefetched: Iterator[Prepared | FrcnnError] | None,
) -> Iterator[ReadyImage]:
    """Yields each image with what is kept of it, or prepared."""
    for i, task in enumerate(tasks):
        found = kept.load(task.image) if kept is not None and i in held else None
        if found is not None:
            yield task.image, found
        elif prefetched is None or i in held:
            yield task.image, prepare(task)  # an entry of the cache that was damaged: out of turn
        else:
            yield task.image, next(prefetched)


def _detect_in_turn(
    ready: Iterator[ReadyImage], job: DetectionJob
) -> Iterator[tuple[ImageInput, DetectedImage | FrcnnError, bool]]:
    """Yields, for each image, what was found or why it failed, and whether it is new."""
    for image, known in ready:
        if isinstance(known, Prepared):
            yield image, _detected(image, known, job), True
        else:
            yield image, known, False


@torch.inference_mode()
def _detected(image: ImageInput, ready: Prepared, job: DetectionJob) -> DetectedImage:
    timer = StageTimer(job.detector.device)
    output = job.detector.forward([ready.views], timer)
    config = job.raw_config(len(ready.views))
    boxes = torch.from_numpy(ready.proposals)
    network = sum(timer.seconds.values())
    diagnostics = None
    if job.match_iou is not None and image.truth is not None:
        seen = object_scores(
            output, boxes, ready.size, image.truth, config=config, iou=job.match_iou
        )
        diagnostics = GroundTruthDiagnostics(*seen.cpu().numpy())
    timer("diagnostics")
    found = postprocess_with_votes(output, boxes, ready.size, config)
    timer("postprocess")
    seconds = {**ready.seconds, "network": network, "postprocess": timer.seconds["postprocess"]}
    found_in = DetectedImage(
        image.file, *ready.size, len(boxes), found, seconds, diagnostics, image.time
    )
    return job.calibrated(found_in)


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


@contextmanager
def _prefetched(
    tasks: Sequence[ImageTask], device: torch.device, workers: int | None, scheduler: str
) -> Iterator[Iterator[Prepared | FrcnnError] | None]:
    """Yields the prepared images, from other processes; None where this one is to prepare them.

    On a CPU half of the cores are left to the processes that search, which need about as much as we
    do: with more threads than cores, those that have a core wait for those that have none.
    """
    on_gpu = device.type == "cuda"
    if workers is None and not scheduler:
        decoders = min(_DECODERS, all_cores()) if on_gpu and len(tasks) > WINDOW else 0
        workers = all_cores() if needs_search(tasks) else decoders
    if not tasks or (not scheduler and (not workers or len(tasks) == 1)):
        yield None
        return
    threads = torch.get_num_threads()
    if not on_gpu and not scheduler:
        torch.set_num_threads(max(1, threads // 2))
    prepared = prefetch(tasks, workers or 0, scheduler)
    try:
        with closing(read_ahead(prepared, WINDOW) if on_gpu else prepared) as images:
            yield images
    finally:
        torch.set_num_threads(threads)
