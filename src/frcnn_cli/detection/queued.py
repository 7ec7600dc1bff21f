"""Images that the network runs on; those for a GPU are queued, and fetched with one wait."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Iterable, Iterator, Mapping, Sequence

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
ImageBatch = Sequence[tuple[int, ImageInput, Prepared]]
"""Prepared images of equal padded sizes, each with its index in the window."""
WINDOW = 16
"""Images from which batches for a GPU are put together."""
DetectedImages = Mapping[int, DetectedImage | DeviceError]
"""By its index in the window what was found in an image, or why it failed."""
_CANDIDATES = 2048
"""Candidates per image that are fetched; where there are more, everything is."""


def batches_of(window: Sequence[ReadyImage], job: DetectionJob) -> list[ImageBatch]:
    """Returns the prepared images of a window, those of equal padded sizes together."""
    stride = job.detector.model.backbone.spec.stride
    by_size: dict[tuple[tuple[int, int], ...], list[tuple[int, ImageInput, Prepared]]] = {}
    for index, (image, prepared) in enumerate(window):
        if isinstance(prepared, Prepared):
            shapes = (view.pixels.shape for view in prepared.views)
            size = tuple((-(-height // stride), -(-width // stride)) for height, width, _ in shapes)
            by_size.setdefault(size, []).append((index, image, prepared))
    counts = {size: max(1, LARGEST // len(size)) for size in by_size}
    return [
        same[first : first + counts[size]]
        for size, same in by_size.items()
        for first in range(0, len(same), counts[size])
    ]


class QueuedBatch:
    """Images of equal padded sizes that the network was run on, or is run on by a GPU.

    A GPU does softmax, threshold and decoding too, so that kilobytes come back, and is not waited
    for.

    Args:
        images: the images, prepared.
        job: the detector and its settings.
        output: of the network for all their proposals.
        began: when it was started, by `time.perf_counter`.

    Raises:
        torch.OutOfMemoryError: the GPU has no memory for them.
    """

    @torch.inference_mode()
    def __init__(
        self, images: ImageBatch, job: DetectionJob, output: RegionOutput, began: float
    ) -> None:
        self._images, self._job, self._output = images, job, output
        device, self._dtype = job.detector.device, job.detector.network.dtype
        self._config = job.raw_config(len(images[0][2].views))
        counts = [len(prepared.proposals) for *_, prepared in images]
        self._ends = np.cumsum(counts)
        sides = np.array([prepared.size for *_, prepared in images], np.float32)
        boxes = np.concatenate([prepared.proposals for *_, prepared in images])
        limits = np.repeat(np.hstack((sides, sides)), counts, axis=0)
        rows = upload(np.hstack((boxes, limits)), device)
        self._packed: Tensor | None = None
        if device.type == "cuda":
            threshold, room = candidate_threshold(self._config), _CANDIDATES * len(images)
            packed = pack_candidates(output, rows, threshold, room)
            self._packed = packed.to("cpu", non_blocking=True)
        self._seconds = time.perf_counter() - began
        self._seen = list(self._diagnosed(rows[:, :4]))
        if device.type == "cuda":
            self._queued = torch.cuda.Event()  # type: ignore[no-untyped-call]
            self._queued.record(torch.cuda.current_stream(device))

    @torch.inference_mode()
    def fetch(self) -> DetectedImages:
        """Waits for a GPU and returns what was found in each image, or why it failed."""
        began = time.perf_counter()
        if self._packed is not None:
            self._queued.synchronize()
            if not self._packed[0, 1] and self._dtype == torch.float16:
                _on_gpu(self._job).widen()
                return fetch(queue([self._images], self._job))
        network = self._seconds + time.perf_counter() - began
        began = time.perf_counter()
        candidates = self._candidates()
        decoding = time.perf_counter() - began
        count, found = len(self._images), {}
        for (index, image, prepared), boxes, seen in zip(
            self._images, candidates, self._seen, strict=True
        ):
            began = time.perf_counter()
            detections = suppress_and_vote(boxes, self._config)
            postprocess = decoding / count + time.perf_counter() - began
            detected = DetectedImage(
                image.file,
                *prepared.size,
                len(prepared.proposals),
                detections,
                {**prepared.seconds, "network": network / count, "postprocess": postprocess},
                None if seen is None else GroundTruthDiagnostics(*seen.numpy()),
                image.time,
            )
            found[index] = self._job.calibrated(detected)
        return found

    def _diagnosed(self, boxes: Tensor) -> Iterator[Tensor | None]:
        """Yields the `object_scores` of each image, which come back without a wait."""
        job, first = self._job, 0
        for (_, image, prepared), last in zip(self._images, self._ends.tolist(), strict=True):
            if job.match_iou is None or image.truth is None:
                yield None
            else:
                yield object_scores(
                    RegionOutput(*(each[first:last] for each in self._output)),
                    boxes[first:last],
                    prepared.size,
                    image.truth,
                    config=self._config,
                    iou=job.match_iou,
                ).to("cpu", non_blocking=True)
            first = last

    def _candidates(self) -> Sequence[Detections]:
        """Returns the candidates of each image, in the order of `decode_candidates`."""
        if self._packed is not None and self._packed[0, 0] < len(self._packed):
            table = self._packed[1 : int(self._packed[0, 0]) + 1].numpy()
            table = table[(table[:, 2:4] - table[:, :2] >= 1).all(axis=1)]
            return [
                Detections(rows[:, :4], rows[:, 4], rows[:, 5].astype(np.int64))
                for rows in np.split(table, np.searchsorted(table[:, 6], self._ends[:-1]))
            ]
        output = on_cpu(self._output)  # a GPU is waited for once more
        threshold = candidate_threshold(self._config)
        logits, deltas = (each.tensor_split(self._ends[:-1].tolist()) for each in output)
        return [
            decode_candidates(
                RegionOutput(*part), torch.from_numpy(prepared.proposals), prepared.size, threshold
            )
            for *part, (*_, prepared) in zip(logits, deltas, self._images, strict=True)
        ]


Queued = QueuedBatch | DetectedImages
"""A batch, or what is known of its images already."""


def queue(batches: Iterable[ImageBatch], job: DetectionJob) -> list[Queued]:
    """Runs the network on batches; a GPU only starts with them and is not waited for.

    Where its memory is short, batches become smaller, and fewer RoIs are processed at once.
    """
    queued: list[Queued] = []
    waiting = deque(batches)
    while waiting:
        images = waiting.popleft()
        began = time.perf_counter()
        views = [prepared.views for *_, prepared in images]
        try:
            queued.append(QueuedBatch(images, job, job.detector.forward(views), began))
            continue
        except torch.OutOfMemoryError:
            pass  # not handled here, where the traceback keeps the tensors alive
        torch.cuda.empty_cache()
        if len(images) > 1:
            waiting.extendleft([each] for each in reversed(images))
        elif _on_gpu(job).shrink():
            waiting.appendleft(images)
        else:
            index, image, _ = images[0]
            remedy = "lower --scales or short_side, close what else uses the GPU, or use --gpus 0"
            problem = "the GPU has no memory for it"
            queued.append({index: DeviceError(problem, remedy=remedy, file=image.path)})
    return queued


def fetch(queued: Iterable[Queued]) -> DetectedImages:
    """Waits for a GPU and returns what was found in each image, or why it failed."""
    found: dict[int, DetectedImage | DeviceError] = {}
    for each in queued:
        found |= each.fetch() if isinstance(each, QueuedBatch) else each
    return found


def _on_gpu(job: DetectionJob) -> Inference:
    assert isinstance(job.detector.network, Inference), "an exported network runs on the CPU"
    return job.detector.network


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
