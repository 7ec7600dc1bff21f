"""The detections of one detector with one set of settings, in the cache."""

from __future__ import annotations

import dataclasses
import hashlib
import logging
from pathlib import Path

import torch

from frcnn_cli._version import __version__
from frcnn_cli.cache.detections import KIND, load_detections, save_detections
from frcnn_cli.cache.keys import cached_content_hash, key_of
from frcnn_cli.cache.proposals import load_proposals
from frcnn_cli.cache.store import Cache
from frcnn_cli.detection.detector import DetectionJob
from frcnn_cli.detection.inputs import ImageInput
from frcnn_cli.errors import CacheError, DataError
from frcnn_cli.proposals.service import proposal_keys
from frcnn_cli.records import DetectedImage

_LOGGER = logging.getLogger(__name__)


class KeptDetections:
    """Earlier detections of the detector in the file `checkpoint`, by the images' content.

    Args:
        job: the detector and its settings.
        cache: where detections are kept.
        checkpoint: what the detector was read from; its content is part of the key.
        reads: whether what was found before is used; else it is detected again and replaced.

    Raises:
        DataError: the file cannot be read.
        ProposalError: the engine is not installed.
    """

    def __init__(
        self, job: DetectionJob, cache: Cache, checkpoint: Path, *, reads: bool = True
    ) -> None:
        self._cache, self._proposals, self._reads = cache, job.proposals, reads
        self._writes = True
        self._diagnoses = job.match_iou is not None
        self._settings = {
            "checkpoint": cached_content_hash(cache, checkpoint),
            "device": job.detector.device.type,
            "precision": str(job.detector.network.dtype),
            "search": proposal_keys(job.proposals)(""),
            "max_proposals": job.proposals.max_proposals,
            "tiles": job.proposals.tiles,
            "detect": dataclasses.asdict(job.config),
            "iou": job.match_iou,
            "calibrated": job.detector.calibration(job.config) is not None,
            "code": [__version__, torch.__version__],
        }

    def holds(self, image: ImageInput) -> bool:
        """Returns whether an entry of an image is there; it may still turn out to be damaged."""
        if image.source is None:
            return False
        try:
            return self._reads and self._cache.path(KIND, self._key(image)).is_file()
        except DataError:
            return False  # whatever is wrong with the image is reported when it is detected

    def load(self, image: ImageInput) -> DetectedImage | None:
        """Returns what was found in an image, or None.

        Raises:
            CacheError: the cache may not be read.
        """
        found = load_detections(self._cache, self._key(image), image.file) if self._reads else None
        return found and dataclasses.replace(found, time=image.time)

    def save(self, image: ImageInput, found: DetectedImage) -> None:
        """Keeps what was found in an image that is a file, or a frame of one.

        Where the cache cannot be written a warning says so, once.
        """
        if image.source is None or not self._writes:
            return
        try:
            save_detections(self._cache, self._key(image), found)
        except CacheError as error:
            _LOGGER.warning("detections are not kept: %s", error)
            self._writes = False
        except DataError:
            return  # the image was removed meanwhile

    def _key(self, image: ImageInput) -> str:
        assert image.source is not None, "only files are kept"
        content = cached_content_hash(self._cache, image.source)
        truth = image.truth if self._diagnoses else None
        objects = truth and [truth.boxes.tolist(), truth.labels.tolist()]
        frame = {} if image.time is None else {"time": image.time}
        return key_of(
            image=content,
            **frame,
            regions=self._imported(content),
            objects=objects,
            **self._settings,
        )

    def _imported(self, content: str) -> str:
        """Returns the hash of imported regions; those searched follow from `settings`."""
        if self._proposals.engine != "imported":
            return ""
        boxes = load_proposals(self._cache, proposal_keys(self._proposals)(content))
        return "" if boxes is None else hashlib.sha256(boxes.tobytes()).hexdigest()
