"""The detection loop of `frcnn detect`, `frcnn eval`, training's validation and the Python API."""

from __future__ import annotations

from collections import deque
from collections.abc import Generator, Iterable, Iterator, Sequence
from contextlib import closing, contextmanager

import torch

from frcnn_cli.detection.detector import DetectionJob
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
from frcnn_cli.detection.queued import WINDOW, Queued, ReadyImage, batches_of, fetch, queue
from frcnn_cli.errors import FrcnnError
from frcnn_cli.records import DetectedImage, Detections, GroundTruthDiagnostics, Sample
from frcnn_cli.runtime.ahead import read_ahead
from frcnn_cli.runtime.cores import all_cores
from frcnn_cli.runtime.progress import Progress, silent, tracked

STEP = "Detecting"
_DECODERS = 8
"""Largest number of processes that decode images for a GPU."""


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
    on_gpu = job.detector.device.type == "cuda"
    at_once = WINDOW if on_gpu else 1
    windows: deque[tuple[list[ReadyImage], list[Queued]]] = deque()
    with _prefetched(new, job.detector.device, workers, scheduler) as prefetched:
        for first in range(0, len(tasks), at_once):
            window: list[ReadyImage] = []
            for i, task in enumerate(tasks[first : first + at_once], first):
                known = kept.load(task.image) if kept is not None and i in held else None
                # An entry of the cache that is damaged has its image prepared out of turn.
                ready = known or (prepare(task) if i in held else next(prefetched))
                window.append((task.image, ready))
            windows.append((window, queue(batches_of(window, job), job)))
            if len(windows) > on_gpu:  # which computes while the window before is finished
                yield from _results(*windows.popleft(), kept)
        for each in windows:
            yield from _results(*each, kept)


def _results(
    window: Sequence[ReadyImage], queued: Iterable[Queued], kept: KeptDetections | None
) -> Iterator[DetectedImage | FrcnnError]:
    """Yields what is known of the images of a window, or was found in them, which is kept."""
    found = fetch(queued)
    for index, (image, known) in enumerate(window):
        result = found.get(index, known)
        assert not isinstance(result, Prepared)
        if kept is not None and index in found and isinstance(result, DetectedImage):
            kept.save(image, result)
        yield result


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


@contextmanager
def _prefetched(
    tasks: Sequence[ImageTask], device: torch.device, workers: int | None, scheduler: str
) -> Iterator[Iterator[Prepared | FrcnnError]]:
    """Yields the prepared images, from other processes unless this one is to prepare them.

    On a CPU half of the cores are left to the processes that search, which need about as much as we
    do: with more threads than cores, those that have a core wait for those that have none.
    """
    on_gpu = device.type == "cuda"
    if workers is None and not scheduler:
        decoders = min(_DECODERS, all_cores()) if on_gpu and len(tasks) > WINDOW else 0
        workers = all_cores() if needs_search(tasks) else decoders
    if not tasks or (not scheduler and (not workers or len(tasks) == 1)):
        yield map(prepare, tasks)
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
