"""A detector for use from Python."""

from __future__ import annotations

import logging
import os
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from functools import partial
from pathlib import Path
from typing import Any, Self, TypedDict, Unpack, overload

import numpy as np
import numpy.typing as npt
import torch

from frcnn_cli.api.image import ImageDetections, ImageSource, PathLike, pixels_of
from frcnn_cli.cache.store import Cache
from frcnn_cli.config import DetectConfig, EvalConfig, ProposalConfig
from frcnn_cli.data.image_files import find_images
from frcnn_cli.detection.choice import choose_checkpoint
from frcnn_cli.detection.detector import DetectionJob, LoadedDetector
from frcnn_cli.detection.inputs import ImageInput
from frcnn_cli.detection.loop import detect_image, detect_images
from frcnn_cli.errors import FrcnnError, ProposalError
from frcnn_cli.evaluation.metrics.voc import Evaluation
from frcnn_cli.evaluation.run import EvaluationJob, evaluate_detector
from frcnn_cli.records import DetectedImage, FloatArray, as_boxes
from frcnn_cli.runtime.device import named_device, pick_device
from frcnn_cli.runtime.progress import Progress, silent

_LOGGER = logging.getLogger(__name__)


class DetectOptions(TypedDict, total=False):
    """The settings of `Detector.detect`."""

    score: float
    nms: float
    max_objects: int
    vote: float
    proposals: npt.ArrayLike | None
    workers: int | None
    failed: Callable[[FrcnnError], None]


def _warn(error: FrcnnError) -> None:
    _LOGGER.warning("%s", error)


class Detector:
    """A trained network, ready to detect; `Detector.load` makes one.

    Args:
        network: the detector, on its device.
        checkpoint: the file that its weights came from.
        regions: how regions are searched.
        cache: keeps the proposals of images given as files; None keeps nothing.

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
            checkpoint: a file that training wrote, the folder of a run or, with a cache, its name;
                "bundled" is the detector of the 20 VOC classes that comes with the package.
            device: "cpu", "cuda" or "cuda:1"; None is a GPU if there is one.
            regions: how regions are searched; None: the default, in the tiles of its training.
            cache: a folder that keeps the proposals of images given as files, such as the
                command line's ".frcnn"; None keeps nothing.

        Raises:
            CheckpointError: the file is missing, damaged or not a checkpoint of this project.
            DeviceError: there is no such device, or frcnn does not compute on it.
        """
        store = None if cache is None else Cache(Path(cache))
        file = choose_checkpoint(Path(checkpoint), store or Cache(Path())).file
        place = pick_device(None) if device is None else named_device(device)
        network = LoadedDetector.load(file, place)
        return cls(network, file, regions or ProposalConfig(tiles=network.info.tiles), store)

    @overload
    def detect(
        self, images: list[Any] | tuple[Any, ...], **settings: Unpack[DetectOptions]
    ) -> Iterator[ImageDetections]: ...
    @overload
    def detect(self, images: ImageSource, **settings: Unpack[DetectOptions]) -> ImageDetections: ...
    def detect(
        self,
        images: ImageSource | list[Any] | tuple[Any, ...],
        *,
        score: float = DetectConfig.score_threshold,
        nms: float = DetectConfig.nms_iou,
        max_objects: int = DetectConfig.max_per_image,
        vote: float = DetectConfig.vote,
        proposals: npt.ArrayLike | None = None,
        workers: int | None = 0,
        failed: Callable[[FrcnnError], None] = _warn,
    ) -> ImageDetections | Iterator[ImageDetections]:
        """Finds the objects in an image; in the images of a folder or a list, as an iterator.

        The iterator detects as it is read. An image that fails is left out of it. (A folder that is
        not in a list is a stream too, though its type does not say so.)

        Args:
            images: a file or its bytes, RGB pixels (H, W, 3) or a tensor (3, H, W) of uint8, or a
                Pillow image; a folder; or a list of these.
            score: score threshold of an object.
            nms: IoU above which the lower-scoring of two boxes of a class is dropped.
            max_objects: maximum number of objects, over all classes; 0 keeps all.
            vote: IoU from which a class's boxes vote on the one that stays; 0: no voting.
            proposals: (N, 4) regions to classify, xyxy in pixels of each image; None searches them.
            workers: processes that decode and search ahead of the network; 0: this one alone;
                None: one per core where the cache lacks much.
            failed: called with the error of an image in a folder or list; else it is a warning.

        Raises:
            ImageError: the image cannot be read, or a file or folder is missing.
            FrcnnError: its regions cannot be searched, or `proposals` are not boxes.
        """
        config = DetectConfig(score, nms, max_objects, vote)
        job = DetectionJob(self._network, self._cache, self._regions, config)
        boxes = None if proposals is None else _boxes_of(proposals)
        if isinstance(images, str | os.PathLike) and Path(images).is_dir():
            images = [images]
        if isinstance(images, list | tuple):
            sources = [source for each in images for source in _sources(each)]
            return self._stream(sources, job, boxes, workers, failed)
        found = detect_image(_input(images, boxes), job)
        return _image_detections(images, found, self.classes)

    def _stream(
        self,
        sources: Sequence[ImageSource],
        job: DetectionJob,
        boxes: FloatArray | None,
        workers: int | None,
        failed: Callable[[FrcnnError], None],
    ) -> Iterator[ImageDetections]:
        inputs = [_input(source, boxes) for source in sources]
        with closing(detect_images(inputs, job, workers=workers)) as results:
            for source, result in zip(sources, results, strict=True):
                if isinstance(result, FrcnnError):
                    failed(result)
                else:
                    yield _image_detections(source, result, self.classes)

    def evaluate(
        self,
        data: PathLike,
        split: str | None = None,
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
            split: the images to score; None is "test", or "val" where there is no "test".
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
            rules = EvalConfig(match_iou=iou, score_threshold=score)
            job = EvaluationJob(Path(data), split, cache, rules)
            detect = DetectConfig(score, nms, vote=vote)
            run = evaluate_detector(job, self._network, self._regions, detect, progress=progress)
        return run.evaluation


def _sources(given: ImageSource) -> Sequence[ImageSource]:
    """Returns the images that an entry of a list stands for: itself, or those of a folder."""
    return find_images([Path(given)]) if isinstance(given, str | os.PathLike) else [given]


def _input(source: ImageSource, boxes: FloatArray | None) -> ImageInput:
    if isinstance(source, str | os.PathLike):
        return ImageInput(Path(source), proposals=boxes)
    return ImageInput(None, partial(pixels_of, source), boxes)


def _image_detections(
    source: ImageSource, image: DetectedImage, classes: tuple[str, ...]
) -> ImageDetections:
    found, size = image.detections, (image.width, image.height)
    return ImageDetections(
        source,
        os.fspath(source) if isinstance(source, str | os.PathLike) else "",
        size,
        found.boxes,
        found.scores,
        found.labels,
        classes,
        image.proposals,
        dict(image.seconds),
    )


@contextmanager
def _some_cache(cache: Cache | None) -> Iterator[Cache]:
    if cache is not None:
        yield cache
        return
    with tempfile.TemporaryDirectory(prefix="frcnn-") as folder:
        yield Cache(Path(folder))


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
