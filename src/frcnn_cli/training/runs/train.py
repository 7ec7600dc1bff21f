"""A data set → a trained detector in a run folder."""

from __future__ import annotations

import signal
import time
from dataclasses import dataclass
from pathlib import Path

import torch

from frcnn_cli.cache.checkpoints import CheckpointInfo
from frcnn_cli.cache.store import Cache
from frcnn_cli.config import TrainConfig
from frcnn_cli.config.recipes import for_photographs, nearest
from frcnn_cli.data.open import open_dataset
from frcnn_cli.errors import ConfigError, DataError, FrcnnError
from frcnn_cli.model.build import build_model
from frcnn_cli.model.fast_rcnn import FastRCNN
from frcnn_cli.proposals.service import ProposalRun
from frcnn_cli.records import Sample
from frcnn_cli.runtime.device import autocast_for, describe
from frcnn_cli.runtime.interrupt import deferred_interrupt
from frcnn_cli.runtime.memory import translate_out_of_memory
from frcnn_cli.training.batches.dataset import TrainingSet, loaders_for
from frcnn_cli.training.batches.split_data import (
    SplitData,
    SplitSource,
    require_evaluation,
    require_objects,
)
from frcnn_cli.training.distributed.context import SINGLE_PROCESS, DistributedContext, RankLostError
from frcnn_cli.training.engine.class_statistics import use_per_class_delta_stats
from frcnn_cli.training.engine.loop import Trainer
from frcnn_cli.training.engine.stages import disable_box_regression
from frcnn_cli.training.engine.state import restore, trainer_state
from frcnn_cli.training.engine.step import NotFiniteError
from frcnn_cli.training.preflight.checks import NOT_LOOKED, DataCheck, RunEstimate, cover, read_all
from frcnn_cli.training.preflight.cost import estimate
from frcnn_cli.training.pretrained import load_initial_weights
from frcnn_cli.training.runs.agreement import (
    check_batch_divides,
    check_same_state,
    intersect_across_ranks,
)
from frcnn_cli.training.runs.checkpointer import Checkpointer, save_failed_step, score_best
from frcnn_cli.training.runs.events import TrainEvents, TrainResult, TrainStart
from frcnn_cli.training.runs.folder import RunFolder
from frcnn_cli.training.runs.job import TrainJob
from frcnn_cli.training.runs.tensorboard import Board


def train_detector(
    job: TrainJob,
    folder: RunFolder | None,
    cache: Cache,
    device: torch.device,
    *,
    resume: RunFolder | None = None,
    context: DistributedContext = SINGLE_PROCESS,
    tensorboard: bool = False,
    events: TrainEvents | None = None,
) -> TrainResult | None:
    """Trains a detector; proposals that are missing are made first.

    Args:
        job: what to train.
        folder: where checkpoints and metrics go; None in all processes but the first.
        cache: where proposals and made splits are kept.
        device: of this process.
        resume: the folder whose last checkpoint to go on from, in every process.
        context: this process's place among those that train together.
        tensorboard: write the metrics for TensorBoard too.
        events: told about progress, steps and evaluations.

    Returns:
        The finished run; None where there is no folder.

    Raises:
        FrcnnError: the data, the weights, the device or the loss do not allow it.
        KeyboardInterrupt: Ctrl-C was pressed; the steps so far are kept.
    """
    run = _Run(job, folder, cache, device, resume, context, events=events or TrainEvents())
    with translate_out_of_memory():
        return run.execute(tensorboard)


def check_training(
    job: TrainJob,
    cache: Cache,
    device: torch.device,
    *,
    processes: int = 1,
    events: TrainEvents | None = None,
) -> tuple[DataCheck, RunEstimate]:
    """Does all that `train_detector` does before the first step, and nothing that takes long.

    Regions are looked up in the cache and not searched, but for the photographs of one step. What
    the first of `processes` would do is done, and counted for all of them.

    Raises:
        FrcnnError: the data, the weights or the device do not allow the run.
    """
    events = events or TrainEvents()
    run = _Run(job, None, cache, device, resume=None, context=SINGLE_PROCESS, events=events)
    with translate_out_of_memory():
        return run.check(processes)


@dataclass
class _Run:
    """One call of `train_detector` or `check_training`."""

    job: TrainJob
    folder: RunFolder | None
    cache: Cache
    device: torch.device
    resume: RunFolder | None
    context: DistributedContext
    events: TrainEvents

    def execute(self, tensorboard: bool) -> TrainResult | None:
        began = time.monotonic()
        check_batch_divides(self.job.recipe.train, self.context)
        path = None if self.folder is None else self.folder.path
        self._path = self.context.all_gather(path)[0] or Path()
        with self.context.local_main_process_first():
            source, samples, failures = self._look()
            found = source.search(self.job.split, samples, failures)
            evaluation = source.held_out(self.job.split, self.job.recipe.train)
        data, evaluation = (
            intersect_across_ranks(found, self.context),
            intersect_across_ranks(evaluation, self.context),
        )
        if data is None:
            raise DataError("no photograph can be used by every process", file=self.job.data)
        config = for_photographs(self.job.recipe.train, len(data.samples))
        if self.resume is not None:
            self.resume.require_same_data(self._dataset.classes, len(data.samples))
            check_same_state(self.resume, self.context)
        trainer, batches = self._prepare(data, config)
        if self.resume is None:
            self._estimate(data, trainer, batches, self.context.local_world_size)
        if self.folder is not None:
            classes = self._dataset.classes
            self.folder.open(self.job, config, classes, len(data.samples), trainer.step)
            command = self.folder.write_command(
                self.job, self.device.type, self.context.local_world_size
            )
        self._announce(data, evaluation, trainer)
        checkpointer = self._checkpointer(trainer, evaluation)
        if tensorboard and self.folder is not None:
            checkpointer.board = Board(self._path, trainer.step)
        with checkpointer:
            if self.resume is not None:
                checkpointer.catch_up()
            self._train(trainer, batches, checkpointer)
        with self.context.local_main_process_first():
            final = source.final(self.job.split, config)
        final = intersect_across_ranks(final, self.context)
        score = score_best(self._path, self.device, final, self.context, source.progress)
        if self.folder is None:
            return None
        self.folder.plot()
        best, best_map = self.folder.best()
        return TrainResult(
            run=self.folder.path,
            best=best,
            steps=trainer.step,
            iterations=config.iterations,
            best_map=best_map,
            score=score,
            command=command,
            seconds=time.monotonic() - began,
            failures=tuple(data.failures),
        )

    def check(self, processes: int) -> tuple[DataCheck, RunEstimate]:
        """Does what comes before the first step, and no search of regions but the first step's."""
        first = DistributedContext(0, processes, 0, processes)
        check_batch_divides(self.job.recipe.train, first)
        _, samples, failures = self._look()
        require_objects(self._dataset, self.job.split, samples, failures)
        config = for_photographs(self.job.recipe.train, len(samples))
        unsearched = ProposalRun(self.job.proposals, self.cache)
        data = SplitData(self.job.split, samples, unsearched, failures)
        model = build_model(self.job.model, len(self._dataset.classes), config.seed)
        load_initial_weights(model, self.job.model.backbone, self.job.weights)
        trainer, batches = self._trainer(model, data, config, first)
        return self._checked, self._estimate(data, trainer, batches, processes)

    def _look(self) -> tuple[SplitSource, list[Sample], list[FrcnnError]]:
        """Finds the data set, reads all of the split and tells what is wrong with it."""
        self._dataset = open_dataset(self.job.data, self.cache)
        split, progress = self.job.split, self.events.progress
        require_evaluation(self._dataset, split, self.job.recipe.train)
        samples, problems = read_all(self._dataset, split, progress)
        self._checked = DataCheck.of(split, samples, problems, self._dataset.classes)
        self.events.checked(self._checked)
        source = SplitSource(self._dataset, self.job.proposals, self.cache, progress)
        return source, samples, self._checked.failures

    def _estimate(
        self, data: SplitData, trainer: Trainer, batches: TrainingSet, processes: int
    ) -> RunEstimate:
        coverage = NOT_LOOKED
        if self.context.is_main_process:
            coverage = cover(data.samples, self.job.proposals, self.cache, self.events.progress)
        cost = estimate(
            trainer, batches.first, self.cache.root, processes, self.context.local_world_size
        )
        expected = RunEstimate(coverage, cost)
        self.events.estimated(expected)
        return expected

    def _prepare(self, data: SplitData, config: TrainConfig) -> tuple[Trainer, TrainingSet]:
        model = build_model(self.job.model, len(self._dataset.classes), config.seed)
        if self.resume is None:  # else all of it is in the saved state
            load_initial_weights(model, self.job.model.backbone, self.job.weights)
        if config.class_statistics:
            use_per_class_delta_stats(model)
        if not config.box_loss_weight:
            disable_box_regression(model)
        trainer, batches = self._trainer(model, data, config, self.context)
        if self.resume is None and config.box_loss_weight:
            mean, deviation = batches.delta_statistics(model.num_classes)
            model.delta_mean.copy_(mean)
            model.delta_std.copy_(deviation)
        if self.resume is not None:
            restore(trainer, self.resume.load_state())
            if trainer.step > config.iterations:
                raise ConfigError(
                    f"the run has taken {trainer.step:,} steps, more than {config.iterations:,}",
                    remedy=f"use --iterations {trainer.step} or more",
                )
        return trainer, batches

    def _trainer(
        self, model: FastRCNN, data: SplitData, config: TrainConfig, share: DistributedContext
    ) -> tuple[Trainer, TrainingSet]:
        """Returns what is trained, and the photographs of `share`'s part of each step."""
        spec = model.backbone.spec
        batches = TrainingSet(data.samples, data.proposals, config, spec, share)
        device = self.device
        autocast = autocast_for(device, config.precision)
        trainer = Trainer(model.to(device), config, device, autocast, self.context)
        return trainer, batches

    def _announce(self, data: SplitData, evaluation: SplitData | None, trainer: Trainer) -> None:
        if self.folder is None:
            return
        trainable = sum(p.numel() for p in trainer.model.parameters() if p.requires_grad)
        self.events.started(
            TrainStart(
                self.folder.path,
                str(self._dataset),
                len(data.samples),
                sum(len(sample.boxes) for sample in data.samples),
                self._dataset.classes,
                trainer.config.iterations,
                trainer.step,
                describe(self.device),
                trainable,
                self.context.world_size,
                trainer.config.images_per_batch,
                trainer.config.lr,
                *nearest(trainer.config, self.job.model.backbone),
                0 if evaluation is None else len(evaluation.samples),
                trainer.config.eval_split,
            )
        )

    def _checkpointer(self, trainer: Trainer, evaluation: SplitData | None) -> Checkpointer:
        about = {"split": self.job.split, "data": self._dataset.root.resolve().name}
        info = CheckpointInfo(self.job.model, self._dataset.classes, self.job.recipe.input, about)
        events = self.events
        return Checkpointer(
            self.folder,
            trainer,
            info,
            evaluation,
            self.context,
            events.progress,
            events.stepped,
            events.evaluated,
        )

    def _train(self, trainer: Trainer, batches: TrainingSet, checkpointer: Checkpointer) -> None:
        with deferred_interrupt(signal.SIGTERM) as interrupted:
            try:
                trainer.run(
                    batches.batches(trainer.step, loaders_for(self.device, self.context)),
                    checkpointer.on_step,
                    stop=lambda: interrupted() or checkpointer.lost_patience,
                )
            except NotFiniteError as error:
                raise save_failed_step(error, checkpointer, self._path) from error
            except RankLostError:
                if self.folder is not None:
                    self.folder.save_state(trainer_state(trainer))  # of the last whole step
                raise
            stopped_early = trainer.step < trainer.config.iterations
            if stopped_early and not checkpointer.lost_patience:
                checkpointer.save_interrupted()
                raise KeyboardInterrupt
