"""A data set → a trained detector in a run folder.

`prepare_run` opens the data, finds proposals, builds network and trainer, and estimates the run;
`train_detector` then takes a step for each batch, saves, and scores the best checkpoint.
"""

from __future__ import annotations

import logging
import signal
import time
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch

from frcnn_cli.cache.checkpoints import CheckpointInfo
from frcnn_cli.cache.fingerprints import count_known, encode_fingerprints, fingerprints_of
from frcnn_cli.cache.keys import cached_content_hash
from frcnn_cli.cache.runs import BEST, LAST
from frcnn_cli.cache.store import Cache
from frcnn_cli.config.recipes import for_images, nearest
from frcnn_cli.data.dataset import Dataset
from frcnn_cli.data.formats.layout import scored_split
from frcnn_cli.runtime.device import describe
from frcnn_cli.runtime.interrupt import deferred_interrupt
from frcnn_cli.runtime.memory import translate_out_of_memory
from frcnn_cli.training.batches.dataset import TrainingSet, loaders_for
from frcnn_cli.training.batches.split_data import AnnotatedData, SplitData
from frcnn_cli.training.distributed.context import SINGLE_PROCESS, DistributedContext
from frcnn_cli.training.distributed.watch import watched
from frcnn_cli.training.engine.loop import Trainer
from frcnn_cli.training.preflight.checks import RunEstimate
from frcnn_cli.training.preflight.cost import estimate, require_disk
from frcnn_cli.training.pretrained import checkpoint_file, normalize_known_boxes
from frcnn_cli.training.runs.agreement import (
    check_batch_divides,
    check_same_state,
    intersect_across_ranks,
)
from frcnn_cli.training.runs.checkpointer import Checkpointer
from frcnn_cli.training.runs.events import FinalScore, TrainEvents, TrainResult, TrainStart
from frcnn_cli.training.runs.folder import RunFolder
from frcnn_cli.training.runs.job import TrainJob
from frcnn_cli.training.runs.scoring import score_best
from frcnn_cli.training.runs.setup import (
    build_network,
    build_trainer,
    coverage_of,
    find_proposals,
    read_data,
)
from frcnn_cli.training.runs.tensorboard import Board, summary_writer

_LOGGER = logging.getLogger(__name__)


@dataclass(frozen=True)
class PreparedRun:
    """A run before the first step that this process takes.

    Attributes:
        job: what is trained, with the split that was chosen.
        source: the images of the split, and what is held out of others.
        data: the images to train on, with their proposals.
        held_out: images whose mAP selects the best checkpoint; None without any.
        trainer: new, or at the step to resume from.
        batches: of `data`.
        resumed: whether the trainer continues a run.
        tensorboard: whether the metrics are written for TensorBoard too.
        began: `time.monotonic()` when the preparation began.
    """

    job: TrainJob
    source: AnnotatedData
    data: SplitData
    held_out: SplitData | None
    trainer: Trainer
    batches: TrainingSet
    resumed: bool
    tensorboard: bool
    began: float


@translate_out_of_memory()
def prepare_run(
    job: TrainJob,
    cache: Cache,
    device: torch.device,
    *,
    resume: RunFolder | None = None,
    context: DistributedContext = SINGLE_PROCESS,
    tensorboard: bool = False,
    events: TrainEvents | None = None,
) -> PreparedRun:
    """Opens the data, finds proposals, builds network and trainer, and estimates a new run.

    Args:
        job: what to train.
        cache: holds proposals and generated splits.
        device: of this process.
        resume: the run to resume from its last checkpoint, in every rank.
        context: rank and world size of this process.
        tensorboard: whether to write the metrics for TensorBoard too.
        events: `progress`, `checked` and `estimated` are called.

    Raises:
        FrcnnError: the data, the weights, the device or the disk do not allow it.
    """
    began = time.monotonic()
    events = events or TrainEvents()
    check_batch_divides(job.recipe.train, context.world_size)
    if tensorboard:
        summary_writer()  # what is missing is found before the search
    with context.local_main_process_first():
        read, _ = read_data(job, cache, events)
    job, classes = replace(job, split=read.name), read.dataset.classes
    # Before the search, which takes longer: weights or disk may not allow the run.
    model = build_network(job, classes, pretrained=resume is None)
    if resume is None and context.is_main_process:
        require_disk(model, job.recipe.train.optimizer, cache.root)
    data, held_out = find_proposals(read, context)
    if resume is None and held_out is not None and context.is_main_process:
        _warn_of_known(held_out, checkpoint_file(job.weights), cache)

    config = for_images(job.recipe.train, len(data.samples))
    if resume is not None:
        resume.require_same_data(classes, len(data.samples))
        check_same_state(resume, context)
    trainer, batches = build_trainer(model, data, config, device, context=context)
    if resume is not None:
        resume.restore(trainer)
    else:
        batches.set_delta_statistics(trainer.model)
        normalize_known_boxes(trainer.model, classes, job.weights)
        coverage = coverage_of(data, context, events.progress)
        events.estimated(RunEstimate(coverage, estimate(trainer, batches.first, cache.root)))
    return PreparedRun(
        job,
        read,
        data,
        held_out,
        trainer,
        batches,
        resumed=resume is not None,
        tensorboard=tensorboard,
        began=began,
    )


def _warn_of_known(held_out: SplitData, weights: Path | None, cache: Cache) -> None:
    """Warns of held-out images that the first weights were trained on."""
    if not (fingerprints := fingerprints_of(weights)):
        return  # without reading an image
    hashes = [cached_content_hash(cache, each.path) for each in held_out.samples]
    if known := count_known(fingerprints, hashes):
        _LOGGER.warning(
            "the first weights were trained on %d of the %d images that choose the best "
            "checkpoint: their mAP will be too high",
            known,
            len(hashes),
        )


@translate_out_of_memory()
def train_detector(
    run: PreparedRun, folder: RunFolder | None, events: TrainEvents | None = None
) -> TrainResult | None:
    """Takes the steps of a run, saves them, and scores the best checkpoint.

    Args:
        run: of `prepare_run`, in every rank.
        folder: receives checkpoints and metrics; None in every rank but 0.
        events: receive progress, steps and evaluations.

    Returns:
        The finished run; None without a folder.

    Raises:
        FrcnnError: the loss is not finite, or an image or the folder cannot be used any more.
        KeyboardInterrupt: Ctrl-C was pressed; the steps so far are kept.
    """
    events = events or TrainEvents()
    trainer, config = run.trainer, run.trainer.config
    board = None
    if folder is not None:
        command = folder.open(run.job, trainer, run.data.dataset.classes, len(run.data.samples))
        events.started(_start(run, folder))
        board = Board(folder.path, trainer.step) if run.tensorboard else None
    info = _info(run, folder)
    checkpointer = Checkpointer(folder, trainer, info, run.held_out, events, board)
    with (
        deferred_interrupt(signal.SIGTERM) as interrupted,
        checkpointer,
        watched(trainer.context, checkpointer.on_loss),
    ):
        if run.resumed:
            checkpointer.catch_up()
        workers = loaders_for(trainer.device, trainer.context)
        batches = run.batches.batches(trainer.step, workers)
        stop = lambda: interrupted() or checkpointer.lost_patience  # noqa: E731
        for report in trainer.run(batches, stop, rests=checkpointer.is_due):
            checkpointer.on_step(report)
        if trainer.step < config.schedule.iterations and not checkpointer.lost_patience:
            checkpointer.save_interrupted()
            raise KeyboardInterrupt
    score = _score(run, checkpointer.path, events)
    return None if folder is None else _finish(run, folder, command, score, board)


def _score(run: PreparedRun, path: Path, events: TrainEvents) -> FinalScore | None:
    """Returns the score of the best checkpoint in `path`; None without images to score it on."""
    context = run.trainer.context
    with context.local_main_process_first():
        images = replace(run.source, samples=run.data.samples).final()
    images = intersect_across_ranks(images, context)
    score = score_best(path, run.trainer.device, images, context, events.progress)
    if score is None or score.split == run.trainer.config.validation.eval_split:
        return score
    return replace(score, calibration=None)  # the test split is scored and no more


def _finish(
    run: PreparedRun,
    folder: RunFolder,
    command: str,
    score: FinalScore | None,
    board: Board | None,
) -> TrainResult:
    """Writes the end of a run and its curves, and returns its result.

    Args:
        run: after its last step.
        folder: of the run.
        command: repeats the run.
        score: of the best checkpoint.
        board: TensorBoard's files, or None.
    """
    step = run.trainer.step
    folder.finish(step, score)
    if board is not None and score is not None:
        board.finished(step, score.split, score.map)
    folder.metrics.plot()
    return TrainResult(
        run=folder.path,
        best=folder.path / BEST,
        steps=step,
        iterations=run.trainer.config.schedule.iterations,
        best_map=folder.metrics.best_map(),
        score=score,
        next_split=_next_split(run.data.dataset),
        example=run.data.samples[0].path,
        command=command,
        seconds=time.monotonic() - run.began,
        failures=tuple(run.data.failures),
    )


def _start(run: PreparedRun, folder: RunFolder) -> TrainStart:
    trainer, config = run.trainer, run.trainer.config
    samples, dataset = run.data.samples, run.data.dataset
    recipe, changes = nearest(config, run.job.model.backbone)
    return TrainStart(
        run=folder.path,
        dataset=str(dataset),
        images=len(samples),
        objects=sum(len(sample.boxes) for sample in samples),
        classes=dataset.classes,
        iterations=config.schedule.iterations,
        first_step=trainer.step,
        device=describe(trainer.device),
        trainable=sum(p.numel() for p in trainer.model.parameters() if p.requires_grad),
        processes=trainer.context.world_size,
        batch=config.schedule.images_per_batch,
        lr=config.optimizer.lr,
        recipe=recipe,
        changes=changes,
        evaluated=0 if run.held_out is None else len(run.held_out.samples),
        eval_split=config.validation.eval_split,
    )


def _info(run: PreparedRun, folder: RunFolder | None) -> CheckpointInfo:
    """Returns the metadata of the checkpoints; with a folder, which images the weights know."""
    job, dataset, cache = run.job, run.data.dataset, run.data.proposals.cache
    origin: dict[str, Any] = {"split": job.split, "data": dataset.root.resolve().name}
    origin["iterations"] = run.trainer.config.schedule.iterations
    if folder is not None:
        last = folder.path / LAST  # a run killed in its first checkpoint has none
        before = last if run.resumed and last.exists() else checkpoint_file(job.weights)
        images = (cached_content_hash(cache, sample.path) for sample in run.data.samples)
        origin["images"] = encode_fingerprints(images, fingerprints_of(before))
    tiles = job.proposals.tiles
    return CheckpointInfo(job.model, dataset.classes, job.recipe.input, origin, tiles=tiles)


def _next_split(dataset: Dataset) -> str | None:
    split = scored_split(dataset.splits)
    return split if dataset.splits.get(split) else None
