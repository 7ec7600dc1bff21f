"""A detector and annotated photographs → what it finds and what it sees of the objects."""

from __future__ import annotations

import dataclasses
import hashlib
import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from frcnn_cli._version import __version__
from frcnn_cli.cache.detections import load_detections, save_detections
from frcnn_cli.cache.keys import cached_content_hash, key_of
from frcnn_cli.cache.proposals import load_proposals
from frcnn_cli.cache.store import Cache
from frcnn_cli.config import DetectConfig, ProposalConfig
from frcnn_cli.data.images import load_image
from frcnn_cli.detection.detector import Detector, Watch
from frcnn_cli.detection.evidence import see_objects
from frcnn_cli.errors import CacheError, DataError, FrcnnError
from frcnn_cli.model.fast_rcnn import FastRCNN, RegionOutput
from frcnn_cli.proposals.service import ProposalRun, proposal_keys
from frcnn_cli.records import Detections, ObjectEvidence, Sample
from frcnn_cli.runtime.progress import Progress, silent

STEP = "Detecting"
_LOGGER = logging.getLogger(__name__)

Keep = Callable[[Sample, Detections, ObjectEvidence], None]


def detect_samples(
    samples: Sequence[Sample],
    detector: Detector,
    proposals: ProposalRun,
    config: DetectConfig,
    progress: Progress = silent,
    *,
    seen: dict[str, ObjectEvidence] | None = None,
    iou: float = 0.5,
    keep: Keep | None = None,
) -> tuple[dict[str, Detections], list[FrcnnError]]:
    """Returns the detections by image id, and why the other photographs have none.

    They are rounded as files of detections are, so that such a file scores the same.

    Args:
        samples: the photographs.
        detector: the network.
        proposals: their regions.
        config: thresholds.
        progress: told after each photograph.
        seen: what the detector saw of the objects is put here.
        iou: least IoU of a box that is taken to match an object, for `seen`.
        keep: given each photograph's detections and, which needs `seen`, what was seen in it; where
            it cannot write, that is said once and the rest is not kept.
    """
    found: dict[str, Detections] = {}
    failures: list[FrcnnError] = []
    for done, sample in enumerate(samples, start=1):
        try:
            image = load_image(sample.path)
            boxes = proposals.proposals_for(sample.path, image)
            watch = None if seen is None else _note_objects(sample, image, seen, config, iou)
            exact, _ = detector.detect(image, boxes, config, watch)
        except FrcnnError as error:
            failures.append(error)
        else:
            found[sample.image_id] = exact.rounded()
            if keep is not None and seen is not None:
                try:
                    keep(sample, found[sample.image_id], seen[sample.image_id])
                except CacheError as error:
                    _LOGGER.warning("detections are not kept: %s", error)
                    keep = None
        progress(STEP, done, len(samples))
    return found, failures


def detection_settings(
    content: str, detector: Detector, proposals: ProposalConfig, config: DetectConfig
) -> dict[str, Any]:
    """Returns what detections follow from, but for the photograph and imported regions.

    Args:
        content: the hash of the checkpoint.
        detector: made of it.
        proposals: how regions are searched.
        config: thresholds.

    Raises:
        ProposalError: the engine is not installed.
    """
    return {
        "checkpoint": content,
        "device": detector.device.type,
        "precision": str(detector.network.dtype),
        "search": proposal_keys(proposals)(""),
        "max_proposals": proposals.max_proposals,
        "detect": dataclasses.asdict(config),
        "code": [__version__, torch.__version__],
    }


@dataclass(frozen=True)
class KeptDetections:
    """The detections of one detector with one set of settings, in the cache.

    Attributes:
        cache: where they are.
        settings: all that they follow from, but for the photograph and its objects.
        proposals: how regions were searched, or that they were imported.
    """

    cache: Cache
    settings: Mapping[str, Any]
    proposals: ProposalConfig

    @classmethod
    def of(
        cls,
        cache: Cache,
        checkpoint: Path,
        detector: Detector,
        *,
        proposals: ProposalConfig,
        config: DetectConfig,
        iou: float,
    ) -> KeptDetections:
        """Returns those of the detector in the file `checkpoint`; the rest as `detect_samples`.

        Raises:
            DataError: the file cannot be read.
        """
        content = cached_content_hash(cache, checkpoint)
        settings = {**detection_settings(content, detector, proposals, config), "iou": iou}
        return cls(cache, settings, proposals)

    def load(self, sample: Sample) -> tuple[Detections, ObjectEvidence] | None:
        """Returns what was found in a photograph, or None.

        Raises:
            CacheError: the cache may not be read.
        """
        try:
            return load_detections(self.cache, self._key(sample))
        except DataError:
            return None  # whatever is wrong with the photograph is told when it is detected

    def save(self, sample: Sample, found: Detections, evidence: ObjectEvidence) -> None:
        """Keeps what was found in a photograph.

        Raises:
            CacheError: the cache cannot be written.
        """
        save_detections(self.cache, self._key(sample), found, evidence)

    def _key(self, sample: Sample) -> str:
        photograph = cached_content_hash(self.cache, sample.path)
        return key_of(
            photograph=photograph,
            regions=self._imported(photograph),
            boxes=sample.boxes.tolist(),
            labels=sample.labels.tolist(),
            **self.settings,
        )

    def _imported(self, photograph: str) -> str:
        """Returns the hash of a photograph's imported regions; those searched follow from it."""
        if self.proposals.engine != "imported":
            return ""
        boxes = load_proposals(self.cache, proposal_keys(self.proposals)(photograph))
        return "" if boxes is None else hashlib.sha256(boxes.tobytes()).hexdigest()


def _note_objects(
    sample: Sample,
    image: npt.NDArray[np.uint8],
    seen: dict[str, ObjectEvidence],
    config: DetectConfig,
    iou: float,
) -> Watch:
    """Returns what puts into `seen` what the network says of the objects of a photograph."""
    size = image.shape[1], image.shape[0]

    def watch(output: RegionOutput, proposals: Tensor, model: FastRCNN) -> None:
        seen[sample.image_id] = see_objects(
            output, proposals, model, size, sample, config=config, iou=iou
        )

    return watch
