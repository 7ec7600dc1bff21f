"""A data set → a trained detector in a run folder."""

from __future__ import annotations

import signal
import time
from dataclasses import replace
from typing import Any

import torch

from frcnn_cli.cache.checkpoints import CheckpointInfo
from frcnn_cli.cache.fingerprints import encode_fingerprints
from frcnn_cli.cache.keys import cached_content_hash
from frcnn_cli.cache.runs import BEST
from frcnn_cli.cache.store import Cache
from frcnn_cli.config import TrainConfig
from frcnn_cli.config.recipes import for_images, nearest
from frcnn_cli.data.dataset import Dataset
from frcnn_cli.data.formats.layout import scored_split
from frcnn_cli.runtime.device import describe
from frcnn_cli.runtime.interrupt import deferred_interrupt
from frcnn_cli.runtime.memory import translate_out_of_memory
from frcnn_cli.training.batches.dataset import loaders_for
from frcnn_cli.training.batches.split_data import SplitData
from frcnn_cli.training.distributed.context import SINGLE_PROCESS, DistributedContext
from frcnn_cli.training.distributed.watch import watched
from frcnn_cli.training.engine.loop import Trainer
from frcnn_cli.training.preflight.cost import require_disk
from frcnn_cli.training.pretrained import normalize_known_boxes
from frcnn_cli.training.runs.agreement import (
    check_batch_divides,
    check_same_state,
    intersect_across_ranks,
)
from frcnn_cli.training.runs.checkpointer import Checkpointer
from frcnn_cli.training.runs.events import TrainEvents, TrainResult, TrainStart
from frcnn_cli.training.runs.folder import RunFolder
from frcnn_cli.training.runs.job import TrainJob
from frcnn_cli.training.runs.scoring import score_best
from frcnn_cli.training.runs.setup import (
    build_network,
    build_trainer,
    estimate_run,
    find_proposals,
    read_data,
)
from frcnn_cli.training.runs.tensorboard import Board, summary_writer


@translate_out_of_memory()
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
    """Trains a detector.

    Args:
        job: what to train.
        folder: receives checkpoints and metrics; None in every rank but 0.
        cache: holds proposals and generated splits.
        device: of this process.
        resume: the run to resume from its last checkpoint, in every rank.
        context: rank and world size of this process.
        tensorboard: whether to write the metrics for TensorBoard too.
        events: receive progress, steps and evaluations.

    Returns:
        The finished run; None without a folder.

    Raises:
        FrcnnError: the data, the weights, the device or the loss do not allow it.
        KeyboardInterrupt: Ctrl-C was pressed; the steps so far are kept.
    """
    began = time.monotonic()
    events = events or TrainEvents()
    check_batch_divides(job.recipe.train, context.world_size)
    if tensorboard:
        summary_writer()  # what is missing is found before the search
    with context.local_main_process_first():
        read, _ = read_data(job, cache, events)
    job, classes = replace(job, split=read.name), read.dataset.classes
    model = build_network(job, classes, pretrained=resume is None)
    if resume is None and folder is not None:
        require_disk(model, job.recipe.train.optimizer, cache.root)
    data, held_out = find_proposals(read, context)
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
        events.estimated(estimate_run(trainer, batches, events.progress))
    if folder is not None:
        command = folder.open(job, trainer, classes, len(data.samples))
        events.started(_start(job, folder, trainer, data, held_out))

    board = Board(folder.path, trainer.step) if tensorboard and folder is not None else None
    info = _info(job, data, config, cache, described=folder is not None)
    checkpointer = Checkpointer(folder, trainer, info, held_out, events, board)
    with (
        deferred_interrupt(signal.SIGTERM) as interrupted,
        checkpointer,
        watched(context, checkpointer.on_loss),
    ):
        if resume is not None:
            checkpointer.catch_up()
        stream = batches.batches(trainer.step, loaders_for(device, context))
        stop = lambda: interrupted() or checkpointer.lost_patience  # noqa: E731
        for report in trainer.run(stream, stop, rests=checkpointer.is_due):
            checkpointer.on_step(report)
        if trainer.step < config.schedule.iterations and not checkpointer.lost_patience:
            checkpointer.save_interrupted()
            raise KeyboardInterrupt

    with context.local_main_process_first():
        final = replace(read, samples=data.samples).final()
    final = intersect_across_ranks(final, context)
    score = score_best(checkpointer.path, device, final, context, events.progress)
    if folder is None:
        return None
    if score is not None and score.split != config.validation.eval_split:
        score = replace(score, calibration=None)  # the test split is scored and no more
    folder.finish(trainer.step, score)
    if board is not None and score is not None:
        board.finished(trainer.step, score.split, score.map)
    folder.metrics.plot()
    return TrainResult(
        run=folder.path,
        best=folder.path / BEST,
        steps=trainer.step,
        iterations=config.schedule.iterations,
        best_map=folder.metrics.best_map(),
        score=score,
        next_split=_next_split(read.dataset),
        example=data.samples[0].path,
        command=command,
        seconds=time.monotonic() - began,
        failures=tuple(data.failures),
    )


def _start(
    job: TrainJob, folder: RunFolder, trainer: Trainer, data: SplitData, held_out: SplitData | None
) -> TrainStart:
    config, samples = trainer.config, data.samples
    recipe, changes = nearest(config, job.model.backbone)
    return TrainStart(
        run=folder.path,
        dataset=str(data.dataset),
        images=len(samples),
        objects=sum(len(sample.boxes) for sample in samples),
        classes=data.dataset.classes,
        iterations=config.schedule.iterations,
        first_step=trainer.step,
        device=describe(trainer.device),
        trainable=sum(p.numel() for p in trainer.model.parameters() if p.requires_grad),
        processes=trainer.context.world_size,
        batch=config.schedule.images_per_batch,
        lr=config.optimizer.lr,
        recipe=recipe,
        changes=changes,
        evaluated=0 if held_out is None else len(held_out.samples),
        eval_split=config.validation.eval_split,
    )


def _info(
    job: TrainJob, data: SplitData, config: TrainConfig, cache: Cache, *, described: bool
) -> CheckpointInfo:
    """Returns the metadata of the checkpoints; if `described`, with the images trained on."""
    origin: dict[str, Any] = {"split": job.split, "data": data.dataset.root.resolve().name}
    origin["iterations"] = config.schedule.iterations
    if described:
        images = (cached_content_hash(cache, sample.path) for sample in data.samples)
        origin["images"] = encode_fingerprints(images)
    tiles = job.proposals.tiles
    return CheckpointInfo(job.model, data.dataset.classes, job.recipe.input, origin, tiles=tiles)


def _next_split(dataset: Dataset) -> str | None:
    split = scored_split(dataset.splits)
    return split if dataset.splits.get(split) else None
