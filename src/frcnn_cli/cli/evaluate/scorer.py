"""Detectors as `frcnn eval` scores them."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from frcnn_cli.cli.terminal import Terminal
from frcnn_cli.config import DetectConfig, Settings, SpeedConfig
from frcnn_cli.detection.choice import ChosenCheckpoint, find_checkpoint, proposals_for
from frcnn_cli.detection.detector import LoadedDetector
from frcnn_cli.evaluation.run import EvaluationJob, EvaluationRun, evaluate_detector, evaluate_file
from frcnn_cli.runtime.device import pick_device


@dataclass(frozen=True)
class Scorer:
    """Scores detectors on the same images with the same settings.

    Attributes:
        terminal: shows how far it is.
        job: what is scored, and how.
        settings: of the settings file.
        detect: thresholds of the detections.
        tiles: value of --tiles.
        gpus: value of --gpus.
        calibrates: whether the scores are to be calibrated.
    """

    terminal: Terminal
    job: EvaluationJob
    settings: Settings
    detect: DetectConfig
    tiles: int | None
    gpus: int | None
    calibrates: bool

    def load(self, chosen: ChosenCheckpoint) -> LoadedDetector:
        """Reads a checkpoint."""
        speed = self.settings.apply(SpeedConfig())
        return LoadedDetector.load(chosen.file, pick_device(self.gpus), speed)

    def score(self, detector: LoadedDetector, chosen: ChosenCheckpoint) -> EvaluationRun:
        """Scores a detector, and names the checkpoint that it is from."""
        self.terminal.if_interrupted = "the detections so far are kept; the same command continues"
        with self.terminal.progress() as progress:
            return evaluate_detector(
                self.job,
                detector,
                proposals_for(detector.info.tiles, self.settings, self.tiles),
                self.detect,
                checkpoint=chosen,
                for_calibration=self.calibrates,
                progress=progress,
            )

    def score_pair(self, wanted: tuple[Path, Path]) -> tuple[EvaluationRun, EvaluationRun]:
        """Scores two files of detections, or checkpoints, which are both read before."""
        chosen = [find_checkpoint(each, self.job.cache) for each in wanted]
        loaded = [None if each is None else (self.load(each), each) for each in chosen]
        classes = next((each[0].info.classes for each in loaded if each is not None), None)
        a, b = (
            evaluate_file(self.job, file, classes) if each is None else self.score(*each)
            for file, each in zip(wanted, loaded, strict=True)
        )
        return a, b
