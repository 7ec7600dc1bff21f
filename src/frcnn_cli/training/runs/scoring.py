"""mAP of a detector while and after it is trained, which the ranks compute together."""

from __future__ import annotations

import logging
from pathlib import Path

import torch

from frcnn_cli.cache.keys import content_hash
from frcnn_cli.cache.runs import BEST
from frcnn_cli.config import DetectConfig, EvalConfig
from frcnn_cli.detection.detector import DetectionJob, LoadedDetector
from frcnn_cli.detection.loop import detect_samples
from frcnn_cli.errors import DeviceError
from frcnn_cli.evaluation.analysis.calibration import fit_calibration
from frcnn_cli.evaluation.metrics.voc import MatchedSplit, match_split
from frcnn_cli.evaluation.metrics.voc import score as evaluation_of
from frcnn_cli.records import Detections
from frcnn_cli.runtime.progress import Progress, silent
from frcnn_cli.training.batches.dataset import loaders_for
from frcnn_cli.training.batches.split_data import SplitData
from frcnn_cli.training.distributed.context import SINGLE_PROCESS, DistributedContext
from frcnn_cli.training.runs.events import FinalScore

_LOGGER = logging.getLogger(__name__)


def match_on(
    detector: LoadedDetector,
    data: SplitData,
    context: DistributedContext,
    progress: Progress = silent,
) -> MatchedSplit:
    """Returns the detections matched with the objects; each rank detects its shard of the images.

    Args:
        detector: its scores are not calibrated.
        data: the images.
        context: rank and world size of this process.
        progress: of the detection.
    """
    searched = data.proposals
    rules = DetectConfig(EvalConfig.score_threshold)
    job = DetectionJob(detector, searched.cache, searched.config, rules)
    samples = [each for each in context.shard(data.samples) if each.path not in searched.failures]
    workers = loaders_for(detector.device, context)
    found, _, failures = detect_samples(samples, job, workers=workers, progress=progress)
    for failure in failures:
        if isinstance(failure, DeviceError):
            raise failure
        _LOGGER.warning("not scored: %s", failure)
    everywhere: dict[str, Detections] = {}
    for part in context.all_gather(found):
        everywhere |= part
    return match_split(data.samples, everywhere, detector.info.classes)


def score_best(
    run: Path,
    device: torch.device,
    data: SplitData | None,
    context: DistributedContext,
    progress: Progress = silent,
) -> FinalScore | None:
    """Scores and calibrates a run's best checkpoint; None without images to score it on.

    The ranks share the work if all of them see the checkpoint that rank 0 wrote. Another machine
    may have a file of the same name from a run of its own.

    Args:
        run: the run's folder.
        device: of this process.
        data: the images to score it on.
        context: rank and world size of this process.
        progress: of the detection.
    """
    if data is None:
        return None
    best = run / BEST
    seen = context.all_gather(content_hash(best) if best.exists() else None)
    seen_by_all = set(seen) == {seen[0]}
    if not seen_by_all and not context.is_main_process:
        return None
    detector = LoadedDetector.load(best, device).uncalibrated()
    matched = match_on(detector, data, context if seen_by_all else SINGLE_PROCESS, progress)
    return FinalScore(
        evaluation_of(matched).mean_ap("voc07"),
        data.name,
        len(data.samples),
        fit_calibration(matched, data.name),
    )
