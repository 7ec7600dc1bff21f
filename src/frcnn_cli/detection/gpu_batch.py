"""Images that a GPU detects in while other work is prepared: queued, and fetched with one wait."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Iterator, Sequence
from functools import partial
from itertools import islice

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from frcnn_cli import boxes as box_ops
from frcnn_cli.acceleration.inference import LARGEST, Inference
from frcnn_cli.detection.detector import DetectionJob, on_cpu
from frcnn_cli.detection.evidence import object_scores
from frcnn_cli.detection.inputs import ImageInput
from frcnn_cli.detection.prefetch import Prepared
from frcnn_cli.detection.voting import candidate_threshold, suppress_and_vote
from frcnn_cli.errors import DeviceError, FrcnnError
from frcnn_cli.model.fast_rcnn import RegionOutput
from frcnn_cli.model.postprocess import decode_candidates
from frcnn_cli.records import DetectedImage, Detections, GroundTruthDiagnostics
from frcnn_cli.runtime.device import upload

ReadyImage = tuple[ImageInput, Prepared | DetectedImage | FrcnnError]
"""An image: prepared, or what is known of it already."""
ImageBatch = Sequence[tuple[ImageInput, Prepared]]
WINDOW = 16
"""Images from which batches are put together."""
_CANDIDATES = 2048
"""Candidates per image that are fetched; where there are more, everything is."""
_QueuedImages = tuple[Sequence[int], "list[GpuBatch | DeviceError]"]
"""Indices of images, and the batches that they are in, in order."""


def detect_on_gpu(
    ready: Iterator[ReadyImage], job: DetectionJob
) -> Iterator[tuple[ImageInput, DetectedImage | FrcnnError, bool]]:
    """Yields, for each image in order, what was found or why it failed, and whether it is new.

    While the GPU computes a window of images, the results of the one before are finished.
    """
    waiting: deque[tuple[list[ReadyImage], list[_QueuedImages]]] = deque()
    while window := list(islice(ready, WINDOW)):
        waiting.append((window, list(_queue_window(window, job))))
        if len(waiting) > 1:
            yield from _fetched(*waiting.popleft())
    for each in waiting:
        yield from _fetched(*each)


def _queue_window(window: Sequence[ReadyImage], job: DetectionJob) -> Iterator[_QueuedImages]:
    """Queues the prepared images, those of equal padded sizes together."""
    stride = job.detector.model.backbone.spec.stride
    by_size: dict[tuple[tuple[int, int], ...], list[tuple[int, ImageInput, Prepared]]] = {}
    for index, (image, prepared) in enumerate(window):
        if isinstance(prepared, Prepared):
            shapes = (view.pixels.shape for view in prepared.views)
            size = tuple((-(-height // stride), -(-width // stride)) for height, width, _ in shapes)
            by_size.setdefault(size, []).append((index, image, prepared))
    for size, same in by_size.items():
        count = max(1, LARGEST // len(size))
        for first in range(0, len(same), count):
            indices, *images = zip(*same[first : first + count], strict=True)
            yield indices, _queue(list(zip(*images, strict=True)), job)


def _queue(images: ImageBatch, job: DetectionJob) -> list[GpuBatch | DeviceError]:
    """Queues images, in smaller batches and with fewer RoIs at once where memory is short."""
    network = _on_gpu(job)
    try:
        return [GpuBatch(images, job)]
    except torch.OutOfMemoryError:
        pass  # not handled here, where the traceback keeps the tensors alive
    torch.cuda.empty_cache()
    if len(images) > 1:
        return [queued for each in images for queued in _queue([each], job)]
    return _queue(images, job) if network.shrink() else [out_of_memory(images[0][0])]


def _on_gpu(job: DetectionJob) -> Inference:
    assert isinstance(job.detector.network, Inference), "an exported network runs on the CPU"
    return job.detector.network


def out_of_memory(image: ImageInput) -> DeviceError:
    """Returns the error of an image that the GPU has no memory for."""
    remedy = "lower --scales or short_side, close what else uses the GPU, or use --gpus 0"
    return DeviceError("the GPU has no memory for it", remedy=remedy, file=image.path)


def _fetched(
    window: Sequence[ReadyImage], queued: Sequence[_QueuedImages]
) -> Iterator[tuple[ImageInput, DetectedImage | FrcnnError, bool]]:
    found = {
        index: result
        for indices, batches in queued
        for index, result in zip(indices, _fetch(batches), strict=True)
    }
    for index, (image, known) in enumerate(window):
        result = found.get(index, known)
        assert not isinstance(result, Prepared)
        yield image, result, index in found


def _fetch(batches: Sequence[GpuBatch | DeviceError]) -> Iterator[DetectedImage | DeviceError]:
    for batch in batches:
        yield from batch.fetch() if isinstance(batch, GpuBatch) else [batch]


class GpuBatch:
    """Images of equal padded sizes whose detections are queued on a GPU; nothing is waited for.

    Softmax, threshold and decoding are done there, so that kilobytes come back.

    Args:
        images: the images, prepared.
        job: the detector and its settings.

    Raises:
        torch.OutOfMemoryError: the GPU has no memory for them.
    """

    def __init__(self, images: ImageBatch, job: DetectionJob) -> None:
        began = time.perf_counter()
        detector, self._images, self._job = job.detector, images, job
        self._config = job.raw_config(len(images[0][1].views))
        self._dtype = detector.network.dtype
        counts = [len(prepared.proposals) for _, prepared in images]
        self._ends = np.cumsum(counts)
        self._output = detector.forward([prepared.views for _, prepared in images])
        sides = np.array([prepared.size for _, prepared in images], np.float32)
        boxes = np.concatenate([prepared.proposals for _, prepared in images])
        limits = np.repeat(np.hstack((sides, sides)), counts, axis=0)
        rows = upload(np.hstack((boxes, limits)), detector.device)
        threshold, room = candidate_threshold(self._config), _CANDIDATES * len(images)
        packed = pack_candidates(self._output, rows, threshold, room)
        self._packed = packed.to("cpu", non_blocking=True)
        self._seen = list(self._diagnosed(rows))
        self._queued = torch.cuda.Event()  # type: ignore[no-untyped-call]
        self._queued.record(torch.cuda.current_stream(detector.device))
        self._seconds = time.perf_counter() - began

    def fetch(self) -> Sequence[DetectedImage | DeviceError]:
        """Waits for the GPU and returns what was found in each image, or why it failed."""
        began = time.perf_counter()
        self._queued.synchronize()
        count, finite = map(int, self._packed[0, :2])
        if not finite and self._dtype == torch.float16:
            _on_gpu(self._job).widen()
            return list(_fetch(_queue(self._images, self._job)))
        whole = count > len(self._packed) - 1
        candidates = self._all_candidates() if whole else self._unpacked(count)
        each = (self._seconds + time.perf_counter() - began) / len(self._images)
        finished = partial(self._finished, network=each)
        return list(map(finished, self._images, candidates, self._seen))

    def _finished(
        self,
        image: tuple[ImageInput, Prepared],
        candidates: Detections,
        seen: Tensor | None,
        *,
        network: float,
    ) -> DetectedImage:
        began = time.perf_counter()
        given, ready = image
        found = suppress_and_vote(candidates, self._config)
        seconds = {
            **ready.seconds,
            "network": network,
            "postprocess": time.perf_counter() - began,
        }
        diagnostics = None if seen is None else GroundTruthDiagnostics(*seen.numpy())
        count = len(ready.proposals)
        return self._job.calibrated(
            DetectedImage(given.file, *ready.size, count, found, seconds, diagnostics, given.time)
        )

    def _diagnosed(self, rows: Tensor) -> Iterator[Tensor | None]:
        """Yields the `object_scores` of each image, which come back without a wait."""
        job, first = self._job, 0
        for (given, ready), last in zip(self._images, self._ends.tolist(), strict=True):
            if job.match_iou is None or given.truth is None:
                yield None
            else:
                part = RegionOutput(*(each[first:last] for each in self._output))
                yield object_scores(
                    part,
                    rows[first:last, :4],
                    ready.size,
                    given.truth,
                    config=self._config,
                    iou=job.match_iou,
                ).to("cpu", non_blocking=True)
            first = last

    def _unpacked(self, count: int) -> list[Detections]:
        """Returns the candidates of each image, in the order of `decode_candidates`."""
        table = self._packed[1 : count + 1].numpy()
        solid = (table[:, 2:4] - table[:, :2] >= 1).all(axis=1)
        table = table[solid]
        bounds = np.searchsorted(table[:, 6], self._ends[:-1])
        return [
            Detections(rows[:, :4], rows[:, 4], rows[:, 5].astype(np.int64))
            for rows in np.split(table, bounds)
        ]

    def _all_candidates(self) -> list[Detections]:
        """Returns the same from the whole output, which takes a second wait."""
        output = on_cpu(self._output)
        threshold = candidate_threshold(self._config)
        logits, deltas = (each.tensor_split(self._ends[:-1].tolist()) for each in output)
        return [
            decode_candidates(
                RegionOutput(*part), torch.from_numpy(ready.proposals), ready.size, threshold
            )
            for *part, (_, ready) in zip(logits, deltas, self._images, strict=True)
        ]


@torch.inference_mode()
def pack_candidates(output: RegionOutput, rows: Tensor, threshold: float, room: int) -> Tensor:
    """Returns `decode_candidates` of several images, of a size that the host knows beforehand.

    Boxes of less than a pixel are among them.

    Args:
        output: for the R proposals of all images, denormalised.
        rows: (R, 8): a proposal, and the width, height, width and height of its image.
        threshold: in 0..1.
        room: most candidates.

    Returns:
        (1 + N, 7) float32, N at most `room`: the number of candidates, and whether the output is
        finite; then box, score, label and row of each candidate. Beyond their number rows mean
        nothing.
    """
    scores = output.class_logits.softmax(dim=1)[:, 1:]  # (R, K), without background
    above = scores.flatten() > threshold
    # Sorted so that candidates come first, in their order.
    index = above.byte().sort(descending=True, stable=True).indices[:room]
    row, label = index // scores.shape[1], index % scores.shape[1]
    own, deltas = rows[row], output.deltas[row, label + 1]
    boxes = torch.minimum(box_ops.decode(own[:, :4], deltas).clamp(min=0), own[:, 4:])
    columns = (boxes, scores.flatten()[index, None], label[:, None] + 1, row[:, None])
    finite = output.class_logits.isfinite().all() & output.deltas.isfinite().all()
    facts = torch.stack((above.sum(), finite)).float()
    return torch.cat((F.pad(facts, (0, 5))[None], torch.cat(columns, dim=1)))
