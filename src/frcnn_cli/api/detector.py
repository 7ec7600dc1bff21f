"""A detector for use from Python."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Self

import numpy as np
import numpy.typing as npt
import torch

from frcnn_cli.api.photograph import DetectedPhotograph, PathLike, Photograph, pixels_of
from frcnn_cli.cache.store import Cache
from frcnn_cli.config import DetectConfig, EvalConfig, ProposalConfig
from frcnn_cli.detection.detector import DetectionJob, LoadedDetector, choose_checkpoint
from frcnn_cli.detection.loop import detect_image
from frcnn_cli.detection.prefetch import ImageInput
from frcnn_cli.errors import DeviceError, ProposalError
from frcnn_cli.evaluation.metrics.voc import Evaluation
from frcnn_cli.evaluation.run import evaluate_detector
from frcnn_cli.records import FloatArray, as_boxes
from frcnn_cli.runtime.device import pick_device
from frcnn_cli.runtime.progress import Progress, silent


class Detector:
    """A trained network, ready to detect; `Detector.load` makes one.

    Attributes:
        checkpoint: the file that its weights came from.
        classes: names of the labels; label k is `classes[k - 1]`.
        device: where it computes.
    """

    def __init__(
        self,
        network: LoadedDetector,
        checkpoint: Path,
        regions: ProposalConfig,
        cache: Cache | None,
    ) -> None:
        self._network = network
        self._regions = regions
        self._cache = cache
        self.checkpoint = checkpoint
        self.classes = network.info.classes
        self.device = network.device

    @classmethod
    def load(
        cls,
        checkpoint: PathLike = "bundled",
        *,
        device: str | torch.device | None = None,
        regions: ProposalConfig | None = None,
        cache: PathLike | None = None,
    ) -> Self:
        """Reads a detector.

        Args:
            checkpoint: a file that training wrote; "bundled" is the detector of the 20 VOC classes
                that comes with the package.
            device: "cpu", "cuda" or "cuda:1"; None is a GPU if there is one.
            regions: how regions are searched.
            cache: a folder that keeps the proposals of images given as files, such as the
                command line's ".frcnn"; None keeps nothing.

        Raises:
            CheckpointError: the file is missing, damaged or not a checkpoint of this project.
            DeviceError: there is no such device.
        """
        store = None if cache is None else Cache(Path(cache))
        file = choose_checkpoint(Path(checkpoint), store or Cache(Path()))
        return cls(
            LoadedDetector.load(file, _device(device)), file, regions or ProposalConfig(), store
        )

    def detect(
        self,
        photograph: Photograph,
        *,
        score: float = DetectConfig.score_threshold,
        nms: float = DetectConfig.nms_iou,
        max_objects: int = DetectConfig.max_per_image,
        vote: float = DetectConfig.vote,
        proposals: npt.ArrayLike | None = None,
    ) -> DetectedPhotograph:
        """Finds the objects in an image.

        Args:
            photograph: a file, RGB pixels (H, W, 3) uint8, or a Pillow image.
            score: score threshold of an object.
            nms: IoU above which the lower-scoring of two boxes of a class is dropped.
            max_objects: maximum number of objects, over all classes; 0 keeps all.
            vote: IoU from which a class's boxes vote on the one that stays; 0: no voting.
            proposals: (N, 4) regions to classify, xyxy in its pixels; None searches them.

        Raises:
            ImageError: the image cannot be read.
            FrcnnError: its regions cannot be searched, or `proposals` are not boxes.
        """
        config = DetectConfig(score, nms, max_objects, vote)
        job = DetectionJob(self._network, self._cache, self._regions, config)
        pixels = pixels_of(photograph)
        file = os.fspath(photograph) if isinstance(photograph, str | os.PathLike) else ""
        boxes = None if proposals is None else _boxes_of(proposals)
        image = detect_image(ImageInput(Path(file) if file else None, pixels, boxes), job)
        found = image.detections
        return DetectedPhotograph(
            pixels,
            file,
            found.boxes,
            found.scores,
            found.labels,
            self.classes,
            image.proposals,
            dict(image.seconds),
        )

    def evaluate(
        self,
        data: PathLike,
        split: str = "test",
        *,
        iou: float = EvalConfig.match_iou,
        score: float = EvalConfig.score_threshold,
        nms: float = DetectConfig.nms_iou,
        vote: float = DetectConfig.vote,
        progress: Progress = silent,
    ) -> Evaluation:
        """Scores the detector on annotated images; those that cannot be used are left out.

        Without a cache (see `load`) the regions of all images are searched at every call.

        Args:
            data: folder of the data set.
            split: the images to score.
            iou: IoU threshold of a true positive.
            score: score threshold of a detection that counts.
            nms: IoU above which the lower-scoring of two boxes of a class is dropped.
            vote: IoU from which a class's boxes vote on the one that stays; 0: no voting.
            progress: called as `progress(step, done, total)`.

        Returns:
            Curves and average precisions: `evaluation.mean_ap("voc07")` is the VOC mAP.

        Raises:
            DataError: there is no such data set or split.
            CheckpointError: the data has classes that the detector does not know.
        """
        with _some_cache(self._cache) as cache:
            run = evaluate_detector(
                Path(data),
                split,
                self._network,
                cache,
                proposals=self._regions,
                detect=DetectConfig(score, nms, vote=vote),
                config=EvalConfig(match_iou=iou, score_threshold=score),
                progress=progress,
            )
        return run.evaluation


@contextmanager
def _some_cache(cache: Cache | None) -> Iterator[Cache]:
    if cache is not None:
        yield cache
        return
    with tempfile.TemporaryDirectory(prefix="frcnn-") as folder:
        yield Cache(Path(folder))


def _device(wanted: str | torch.device | None) -> torch.device:
    if wanted is None:
        return pick_device(None)
    try:
        device = torch.device(wanted)
    except RuntimeError as error:
        raise DeviceError(
            f"{wanted!r} is not a device", remedy='use "cpu", "cuda" or "cuda:1"'
        ) from error
    if device.type == "cuda" and not torch.cuda.is_available():
        raise DeviceError(f"{wanted!r}, but torch sees no GPU here", remedy='use device="cpu"')
    return device


def _boxes_of(proposals: npt.ArrayLike) -> FloatArray:
    """Returns a caller's regions as boxes (N, 4).

    Raises:
        ProposalError: they have another shape, or are not finite numbers.
    """
    remedy = "give x1, y1, x2, y2 of each: (N, 4)"
    try:
        array = np.asarray(proposals, np.float32)
    except (TypeError, ValueError) as error:
        raise ProposalError(f"proposals are not boxes ({error})", remedy=remedy) from error
    if array.size and array.shape[1:] != (4,):
        raise ProposalError(f"proposals have the shape {array.shape}", remedy=remedy)
    if not np.isfinite(array).all():
        raise ProposalError("proposals have numbers that are not finite", remedy="leave them out")
    return as_boxes(array)
