"""A data set → a trained detector in a run folder."""

from __future__ import annotations

import copy
import logging
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import torch

from frcnn_cli.cache.checkpoints import CheckpointInfo
from frcnn_cli.cache.store import Cache
from frcnn_cli.config import DetectConfig, EvalConfig, TrainConfig
from frcnn_cli.data.dataset import Dataset
from frcnn_cli.errors import DataError, FrcnnError
from frcnn_cli.evaluation.voc import evaluate
from frcnn_cli.model.build import build_model
from frcnn_cli.pipelines.dataset import open_dataset, read_split
from frcnn_cli.pipelines.detector import Detector
from frcnn_cli.pipelines.device import autocast_for, describe, pick_device
from frcnn_cli.pipelines.evaluate import detect_samples
from frcnn_cli.pipelines.interrupt import deferred_interrupt
from frcnn_cli.pipelines.pool import all_cores
from frcnn_cli.pipelines.progress import Progress, silent
from frcnn_cli.pipelines.proposals import ProposalRun, ensure_proposals
from frcnn_cli.pipelines.run_folder import RunFolder
from frcnn_cli.pipelines.train_job import TrainJob
from frcnn_cli.pipelines.training_set import TrainingSet
from frcnn_cli.pipelines.weights import load_initial_weights
from frcnn_cli.records import Sample
from frcnn_cli.training.loop import StepReport, Trainer
from frcnn_cli.training.resume import restore, trainer_state

_LOGGER = logging.getLogger(__name__)
_VALIDATION = "val"
_LOADERS = 8
"""Most processes that load photographs ahead of a GPU; a CPU loads in line, it is busy anyway."""


@dataclass(frozen=True)
class TrainStart:
    """What a run is about to do, for people."""

    run: Path
    dataset: str
    photographs: int
    objects: int
    classes: tuple[str, ...]
    iterations: int
    first_step: int
    device: str
    trainable: int


@dataclass(frozen=True)
class TrainEvents:
    """Who is told what while a run goes on."""

    progress: Progress = silent
    started: Callable[[TrainStart], None] = lambda _: None
    stepped: Callable[[StepReport], None] = lambda _: None
    validated: Callable[[int, float], None] = lambda *_: None


@dataclass(frozen=True)
class TrainResult:
    """A finished run.

    Attributes:
        run: its folder.
        best: the checkpoint to use.
        steps: steps taken in all.
        best_map: mAP of `best` on the validation photographs, if there were any.
        seconds: wall time of this call.
        failures: photographs that were left out.
    """

    run: Path
    best: Path
    steps: int
    best_map: float | None
    seconds: float
    failures: tuple[FrcnnError, ...]


def train_detector(
    job: TrainJob,
    folder: RunFolder,
    cache: Cache,
    *,
    gpus: int | None = None,
    resume: bool = False,
    events: TrainEvents | None = None,
) -> TrainResult:
    """Trains a detector; proposals that are missing are made first.

    Args:
        job: what to train.
        folder: where checkpoints and metrics go.
        cache: where proposals and made splits are kept.
        gpus: 0 for the CPU, 1 for a GPU, None for what there is.
        resume: go on from the folder's last checkpoint.
        events: told about progress, steps and validation.

    Raises:
        FrcnnError: the data, the weights, the device or the loss do not allow it.
    """
    return _Run(job, folder, cache, pick_device(gpus), events or TrainEvents()).execute(resume)


class _Run:
    """One call of `train_detector`."""

    def __init__(
        self,
        job: TrainJob,
        folder: RunFolder,
        cache: Cache,
        device: torch.device,
        events: TrainEvents,
    ) -> None:
        self._job, self._folder, self._cache = job, folder, cache
        self._device, self._events = device, events
        self._dataset = open_dataset(job.data, cache)

    def execute(self, resume: bool) -> TrainResult:
        began = time.monotonic()
        samples, proposals, failures = self._usable(self._job.split)
        config = iterations_for(self._job.recipe.train, len(samples))
        classes, validation = self._dataset.classes, self._validation_set(config)
        if resume:
            self._folder.require_same_data(classes, len(samples))
        trainer, batches = self._prepare(samples, proposals, config, resume)
        self._folder.open(self._job, config, classes, len(samples), resume_at=trainer.step)
        self._announce(samples, trainer, config)

        def due(step: int) -> bool:
            return step % config.checkpoint_every == 0 or step == config.iterations

        unscored = due(trainer.step) and not self._folder.has_validated(trainer.step)
        if resume and validation and unscored:
            # The run was stopped between this step's state and its validation.
            self._checkpoint(trainer, trainer.step, validation)

        with deferred_interrupt() as interrupted:

            def on_step(report: StepReport) -> None:
                self._folder.log_step(report)
                self._events.stepped(report)
                if interrupted():
                    self._checkpoint(trainer, report.step, None)
                    raise KeyboardInterrupt
                if due(report.step):
                    self._checkpoint(trainer, report.step, validation)

            trainer.run(batches.batches(trainer.step, self._loaders()), on_step)
        self._folder.plot()
        best, best_map = self._folder.best()
        seconds = time.monotonic() - began
        return TrainResult(
            self._folder.path, best, trainer.step, best_map, seconds, tuple(failures)
        )

    def _usable(self, split: str) -> tuple[list[Sample], ProposalRun, list[FrcnnError]]:
        """Returns the photographs of a split that can be read and searched."""
        samples, failures = read_split(self._dataset, split)
        proposals = ensure_proposals(
            [sample.path for sample in samples],
            self._job.proposals,
            self._cache,
            progress=self._events.progress,
        )
        usable = [sample for sample in samples if sample.path not in proposals.failures]
        failures += proposals.failures.values()
        if not any(len(sample.boxes) for sample in usable):
            because = f", the first problem is: {failures[0]}" if failures else ""
            raise DataError(
                f"split {split!r} has no photograph with an object that can be used{because}",
                remedy="mend the photographs or choose another --split",
                file=self._dataset.root,
            )
        return usable, proposals, failures

    def _prepare(
        self, samples: Sequence[Sample], proposals: ProposalRun, config: TrainConfig, resume: bool
    ) -> tuple[Trainer, TrainingSet]:
        model = build_model(self._job.model, len(self._dataset.classes), config.seed)
        batches = TrainingSet(samples, proposals, config, model.backbone.spec)
        if not resume:  # else all of it is in the saved state
            load_initial_weights(model, self._job.model.backbone, self._job.weights)
            mean, deviation = batches.delta_statistics()
            model.delta_mean.copy_(mean)
            model.delta_std.copy_(deviation)
        trainer = Trainer(model.to(self._device), config, self._device, autocast_for(self._device))
        if resume:
            restore(trainer, self._folder.load_state())
        return trainer, batches

    def _announce(self, samples: Sequence[Sample], trainer: Trainer, config: TrainConfig) -> None:
        trainable = sum(p.numel() for p in trainer.model.parameters() if p.requires_grad)
        self._events.started(
            TrainStart(
                self._folder.path,
                str(self._dataset),
                len(samples),
                sum(len(sample.boxes) for sample in samples),
                self._dataset.classes,
                config.iterations,
                trainer.step,
                describe(self._device),
                trainable,
            )
        )

    def _validation_set(self, config: TrainConfig) -> tuple[list[Sample], ProposalRun] | None:
        """Returns photographs of `val` that are not trained on, if the data set has such."""
        if not config.validation_images or not _holds_out(self._dataset, self._job.split):
            return None
        samples, proposals, _ = self._usable(_VALIDATION)
        n = min(config.validation_images, len(samples))
        # Spread over the split, whose order may follow the classes.
        chosen = [samples[i * len(samples) // n] for i in range(n)]
        if not any((~sample.difficult).any() for sample in chosen):
            _LOGGER.warning("the split %s has no object to validate on", _VALIDATION)
            return None
        return chosen, proposals

    def _checkpoint(
        self, trainer: Trainer, step: int, validation: tuple[list[Sample], ProposalRun] | None
    ) -> None:
        self._folder.save_state(trainer_state(trainer))
        info = CheckpointInfo(
            self._job.model,
            self._dataset.classes,
            self._job.recipe.input,
            {"step": step, "split": self._job.split, "data": self._dataset.root.resolve().name},
        )
        if trainer.average is not None:
            trainer.average.swap(trainer.model)
        score = None
        if validation is not None:
            detector = Detector.of(copy.deepcopy(trainer.model), info)
            score = self._validate(detector, *validation)
            self._events.validated(step, score)
        self._folder.save_checkpoint(trainer.model.state_dict(), info, step, score)
        if trainer.average is not None:
            trainer.average.swap(trainer.model)

    def _validate(
        self, detector: Detector, samples: Sequence[Sample], proposals: ProposalRun
    ) -> float:
        found, _ = detect_samples(
            samples,
            detector,
            proposals,
            DetectConfig(score=EvalConfig().score),
            self._events.progress,
        )
        return evaluate(samples, found, self._dataset.classes).mean_ap("voc07")

    def _loaders(self) -> int:
        if self._device.type == "cpu":
            return 0
        return min(_LOADERS, all_cores())


def iterations_for(config: TrainConfig, photographs: int) -> TrainConfig:
    """Returns the recipe with the number of steps that its `epochs` take, if they are more."""
    steps = round(config.epochs * photographs / config.images_per_batch)
    return replace(config, iterations=max(steps, config.iterations), epochs=0.0)


def _holds_out(dataset: Dataset, split: str) -> bool:
    """Returns whether `val` exists and shares no photograph with `split`."""
    held_out = set(dataset.splits.get(_VALIDATION, ()))
    return bool(held_out) and held_out.isdisjoint(dataset.split(split))
