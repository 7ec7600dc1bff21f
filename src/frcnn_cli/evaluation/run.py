"""Evaluation of a detector, or of a file of detections, on a split."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from frcnn_cli.cache.checkpoints import CheckpointInfo
from frcnn_cli.cache.fingerprints import count_known
from frcnn_cli.cache.keys import cached_content_hash
from frcnn_cli.cache.store import Cache
from frcnn_cli.config import DetectConfig, EvalConfig, ProposalConfig
from frcnn_cli.data.dataset import Dataset
from frcnn_cli.data.formats.layout import scored_split
from frcnn_cli.data.images import image_size
from frcnn_cli.data.open import SplitSamples, open_dataset
from frcnn_cli.detection.choice import ChosenCheckpoint
from frcnn_cli.detection.detector import DetectionJob, LoadedDetector
from frcnn_cli.detection.formats.context import SplitIndex
from frcnn_cli.detection.formats.registry import WORDS, read_detections
from frcnn_cli.detection.inputs import ImageInput
from frcnn_cli.detection.kept import KeptDetections
from frcnn_cli.detection.loop import detect_samples
from frcnn_cli.errors import CheckpointError, DataError, FrcnnError, some_of
from frcnn_cli.evaluation.analysis.error_types import Evidence, collect_evidence
from frcnn_cli.evaluation.analysis.operating_point import operating_point
from frcnn_cli.evaluation.explain import Explanation, explain
from frcnn_cli.evaluation.metrics.coco import evaluate_coco
from frcnn_cli.evaluation.metrics.voc import match_split, score
from frcnn_cli.proposals.service import ensure_proposals
from frcnn_cli.records import (
    Detections,
    GroundTruthDiagnostics,
    OperatingPoint,
    Sample,
)
from frcnn_cli.runtime.progress import Progress, silent

_LOGGER = logging.getLogger(__name__)


@dataclass(frozen=True)
class EvaluationJob:
    """Images to score, and the rules.

    Attributes:
        data: folder of the data set.
        split: the images to score; None is `test`, or `val` where there is no `test`.
        cache: where splits, proposals and detections are kept.
        rules: how detections are scored.
        explained: whether other conventions are tried too.
    """

    data: Path
    split: str | None
    cache: Cache
    rules: EvalConfig = field(default_factory=EvalConfig)
    explained: bool = False


class EvaluationRun:
    """The evaluation of a split.

    Args:
        job: what was to be scored.
        data: the images that are scored.
        found: their detections, by image id.
        source: the detector or the file of detections, in words.
        format: of the detections, in words; empty where a detector was run.

    Attributes:
        samples: the images that were scored.
        matched: their objects and detections, matched by the VOC rules.
        evaluation: curves and APs by the VOC rules.
        coco: COCO's numbers, where they are the metric.
        explanation: what other conventions would make of the mAP, where that was asked for.
        dataset: the data set, in words.
        split: name of the split.
        numbers: what the data itself calls its images and classes.
        failures: images that could not be used.
        evidence: what the detector saw of the objects; None where a file was scored.
        trained_on: how many of the images the detector was trained on; None where its checkpoint
            does not say so, or a file was scored.
        threshold: from which score its detections are confident ones, with their precision and
            recall here; None of a file, and of a detector that is not calibrated.
    """

    def __init__(
        self,
        job: EvaluationJob,
        data: SplitSamples,
        found: Mapping[str, Detections],
        source: str,
        format: str = "",  # noqa: A002
    ) -> None:
        rules = job.rules
        self.job, self.source, self.format = job, source, format
        self.samples, self.failures = tuple(data.samples), tuple(data.failures)
        self.dataset, self.split = str(data.dataset), data.name
        self.numbers = data.own_numbers()
        self.matched = match_split(data.samples, found, data.dataset.classes, rules.match_iou)
        self.evaluation = score(self.matched)
        self.coco = evaluate_coco(self.matched) if rules.metric == "coco" else None
        self.explanation: Explanation | None = None
        if job.explained:
            self.explanation = explain(self.matched, rules.metric, rules.match_iou)
        self.evidence: Evidence | None = None
        self.trained_on: int | None = None
        self.threshold: OperatingPoint | None = None

    @property
    def scored(self) -> str:
        """Name of the detector or file that was scored."""
        return f"{self.source} ({self.format})" if self.format else self.source


def evaluate_detector(
    job: EvaluationJob,
    detector: LoadedDetector,
    proposals: ProposalConfig,
    detect: DetectConfig,
    *,
    checkpoint: ChosenCheckpoint | None = None,
    for_calibration: bool = False,
    progress: Progress = silent,
) -> EvaluationRun:
    """Runs a detector over a split and scores it; missing proposals are computed.

    Args:
        job: what is scored, and how.
        detector: the network.
        proposals: settings of the search.
        detect: thresholds of the detections.
        checkpoint: the detector's file. What is found is kept under its content, so that another
            call with the same settings detects only in images that are new to it.
        for_calibration: whether to take scores as they are, and to refuse images that the detector
            was trained on, as far as it knows.
        progress: called after each image.

    Raises:
        DataError: there is no such data set or split, none of its images can be used, or they are
            not held out.
        CheckpointError: the data set has classes that the detector does not know.
    """
    cache = job.cache
    data = _split_of(job, detector.info.classes)
    if for_calibration:
        _require_held_out(data, detector.info)
        detector = detector.uncalibrated()
    calibration = detector.calibration(detect)
    if calibration is not None:  # the same detections are scored
        score_threshold = calibration.calibrated(detect.score_threshold)
        detect = replace(detect, score_threshold=score_threshold)
    detection = DetectionJob(detector, cache, proposals, detect, job.rules.match_iou)
    kept = None if checkpoint is None else KeptDetections(detection, cache, checkpoint.file)
    found, seen, unread = _detections(data.samples, detection, cache, kept, progress)
    data = data.usable(lambda sample: sample.image_id in found, unread)
    run = EvaluationRun(job, data, found, checkpoint.words if checkpoint else "")
    run.evidence = collect_evidence(data.samples, seen, detect.score_threshold)
    run.trained_on = _trained_on(detector, data.samples, cache)
    if (confident := detector.confident_score(detect)) is not None:
        run.threshold = operating_point(run.matched, confident)
    return run


def _trained_on(detector: LoadedDetector, samples: Sequence[Sample], cache: Cache) -> int | None:
    """Returns how many images the detector was trained on; None where it does not know."""
    try:
        known = str(detector.info.training["images"])
        return count_known(known, [cached_content_hash(cache, each.path) for each in samples])
    except (KeyError, ValueError):
        return None


def _detections(
    samples: Sequence[Sample],
    job: DetectionJob,
    cache: Cache,
    kept: KeptDetections | None,
    progress: Progress,
) -> tuple[dict[str, Detections], dict[str, GroundTruthDiagnostics], list[FrcnnError]]:
    """Returns detections and diagnostics by image id, and why other images have none."""
    images = [ImageInput(sample.path, truth=sample) for sample in samples]
    missing = [image for image in images if kept is None or not kept.holds(image)]
    if len(missing) < len(images):
        _LOGGER.info(
            "%d of %d images were detected before", len(images) - len(missing), len(images)
        )
    paths = [image.path for image in missing if image.path is not None]
    searched = ensure_proposals(paths, job.proposals, cache, progress=progress)
    usable = [sample for sample in samples if sample.path not in searched.failures]
    found, seen, failures = detect_samples(usable, job, kept=kept, progress=progress)
    return found, seen, [*searched.failures.values(), *failures]


def evaluate_file(
    job: EvaluationJob, detections: Path, classes: tuple[str, ...] | None = None
) -> EvaluationRun:
    """Scores a file or folder of detections of any known format, whatever tool wrote it.

    Args:
        job: what is scored, and how.
        detections: the file or folder.
        classes: the labels, such as a detector's; None are those of the data.

    Raises:
        DataError: there is no such data set or split, or the file does not fit it.
        CheckpointError: the data has classes that are not among `classes`.
    """
    data = _split_of(job, classes).usable()
    numbers = data.own_numbers()
    index = SplitIndex(
        data.samples,
        data.dataset.classes,
        image_size,
        image_numbers={number: each for each, number in numbers.images.items()},
        category_numbers={number: label for label, number in enumerate(numbers.categories, 1)},
    )
    kind, found = read_detections(detections, index)
    return EvaluationRun(job, data, found, str(detections), WORDS[kind])


def _split_of(job: EvaluationJob, classes: tuple[str, ...] | None) -> SplitSamples:
    """Reads the images to score; `classes` are a detector's."""
    dataset = open_dataset(job.data, job.cache)
    if classes is not None:
        dataset = _labelled(dataset, classes)
    return SplitSamples.read(dataset, job.split or scored_split(dataset.splits))


def _labelled(dataset: Dataset, classes: tuple[str, ...]) -> Dataset:
    """Returns the data with a detector's labels."""
    unknown = sorted(set(dataset.classes) - set(classes))
    if unknown:
        raise CheckpointError(
            f"the checkpoint does not know the class {unknown[0]!r} of {dataset.root}; "
            f"it knows {some_of(classes)}",
            remedy="name the checkpoint that was trained on this data with --checkpoint",
        )
    return dataset.with_classes(classes)


def _require_held_out(data: SplitSamples, info: CheckpointInfo) -> None:
    dataset, trained = data.dataset, str(info.training.get("split"))
    if info.training.get("data") != dataset.root.resolve().name:
        return
    ids = set(dataset.split(data.name))
    if shared := len(ids.intersection(dataset.splits.get(trained, ()))):
        raise DataError(
            f"the detector was trained on {shared:,} of the {len(ids):,} images of {data.name!r}, "
            f"with its split {trained!r}",
            remedy="name a --split that was held out",
            file=dataset.root,
        )
