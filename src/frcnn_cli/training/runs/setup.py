"""Data, model and trainer of a run, as its job describes them."""

from __future__ import annotations

from dataclasses import dataclass

import torch

from frcnn_cli.cache.store import Cache
from frcnn_cli.config import TrainConfig
from frcnn_cli.config.recipes import for_images
from frcnn_cli.data.open import open_dataset
from frcnn_cli.errors import DataError
from frcnn_cli.model.build import build_model
from frcnn_cli.proposals.service import ProposalRun
from frcnn_cli.records import Sample
from frcnn_cli.runtime.device import autocast_for
from frcnn_cli.runtime.memory import translate_out_of_memory
from frcnn_cli.runtime.progress import Progress, silent
from frcnn_cli.training.batches.dataset import TrainingSet
from frcnn_cli.training.batches.split_data import (
    SplitData,
    SplitSource,
    require_evaluation,
    require_objects,
)
from frcnn_cli.training.distributed.context import SINGLE_PROCESS, DistributedContext
from frcnn_cli.training.engine.class_statistics import use_per_class_delta_stats
from frcnn_cli.training.engine.loop import Trainer
from frcnn_cli.training.engine.stages import disable_box_regression
from frcnn_cli.training.preflight.checks import NOT_LOOKED, DataCheck, RunEstimate, cover, read_all
from frcnn_cli.training.preflight.cost import estimate
from frcnn_cli.training.pretrained import load_initial_weights
from frcnn_cli.training.runs.agreement import check_batch_divides, intersect_across_ranks
from frcnn_cli.training.runs.events import TrainEvents
from frcnn_cli.training.runs.job import TrainJob


@dataclass(frozen=True)
class RunData:
    """The images of a run that every rank can use.

    Attributes:
        source: of further splits of the same data set.
        train: the images to train on, with their proposals.
        evaluation: images whose mAP selects the best checkpoint; None without such a split.
    """

    source: SplitSource
    train: SplitData
    evaluation: SplitData | None

    @property
    def classes(self) -> tuple[str, ...]:
        """Names of the classes 1..K."""
        return self.source.dataset.classes


def open_data(
    job: TrainJob, cache: Cache, context: DistributedContext, events: TrainEvents
) -> RunData:
    """Opens the data set, checks its annotations and searches the proposals that are missing.

    Args:
        job: names the data set and the split.
        cache: holds proposals and generated splits.
        context: rank and world size.
        events: `checked` receives the problems of the annotations.

    Raises:
        FrcnnError: the data set cannot be used.
    """
    with context.local_main_process_first():
        source, samples, check = _read(job, cache, events)
        train = source.search(job.split, samples, check.failures)
        evaluation = source.held_out(job.split, samples, job.recipe.train.validation)
    common = intersect_across_ranks(train, context)
    evaluation = intersect_across_ranks(evaluation, context)
    if common is None:
        raise DataError("no image can be used by every process", file=job.data)
    return RunData(source, common, evaluation)


def build_trainer(
    job: TrainJob,
    data: SplitData,
    classes: int,
    config: TrainConfig,
    device: torch.device,
    *,
    context: DistributedContext = SINGLE_PROCESS,
    shard: DistributedContext | None = None,
    pretrained: bool = True,
) -> tuple[Trainer, TrainingSet]:
    """Returns the trainer before its first step, and the batches that it trains on.

    Args:
        job: names the network and its first weights.
        data: the images to train on.
        classes: K.
        config: the recipe, its number of steps resolved.
        device: of the model.
        context: the ranks that average their gradients.
        shard: the rank whose part of each step the batches hold; None is `context`.
        pretrained: whether to load the first weights; a resumed run has its own.
    """
    model = build_model(job.model, classes, config.seed)
    if pretrained:
        load_initial_weights(model, job.model.backbone, job.weights)
    if config.loss.class_statistics:
        use_per_class_delta_stats(model)
    if not config.loss.box_loss_weight:
        disable_box_regression(model)
    spec = model.backbone.spec
    rank = shard or context
    batches = TrainingSet(data.samples, data.proposals, config, spec, rank, device=device)
    autocast = autocast_for(device, config.precision)
    return Trainer(model.to(device), config, device, autocast, context), batches


def estimate_run(
    trainer: Trainer,
    batches: TrainingSet,
    data: SplitData,
    cache: Cache,
    *,
    context: DistributedContext = SINGLE_PROCESS,
    progress: Progress = silent,
    processes: int | None = None,
) -> RunEstimate:
    """Returns what a run will need, measured on its first step; no weight changes.

    Args:
        trainer: before its first step.
        batches: of the run.
        data: the images to train on.
        cache: holds proposals and the run's folder.
        context: rank and world size of this process.
        progress: of the reading of proposals.
        processes: number of processes of the run on this machine; None is those of `context`.
    """
    coverage = NOT_LOOKED
    if context.is_main_process:
        coverage = cover(data.samples, data.proposals.config, cache, progress)
    running = context.local_world_size
    cost = estimate(trainer, batches.first, cache.root, processes or running, running)
    return RunEstimate(coverage, cost)


@translate_out_of_memory()
def check_training(
    job: TrainJob,
    cache: Cache,
    device: torch.device,
    *,
    processes: int = 1,
    events: TrainEvents | None = None,
) -> tuple[DataCheck, RunEstimate]:
    """Checks the data and estimates the run, without training and without a long search.

    Proposals are read from the cache; only those of the first step are searched.

    Args:
        job: what to train.
        cache: holds proposals and generated splits.
        device: of the model.
        processes: of the run to estimate; rank 0 is measured and stands for the others.
        events: receive what is found.

    Raises:
        FrcnnError: the data, the weights or the device do not allow the run.
    """
    events = events or TrainEvents()
    first = DistributedContext(0, processes, 0, processes)
    check_batch_divides(job.recipe.train, processes)
    source, samples, check = _read(job, cache, events)
    require_objects(source.dataset, job.split, samples, check.failures)
    source.apart(job.recipe.train.validation.eval_split, job.split, samples)  # warns of overlaps
    data = SplitData(job.split, samples, ProposalRun(job.proposals, cache), check.failures)
    config = for_images(job.recipe.train, len(samples))
    classes = len(source.dataset.classes)
    trainer, batches = build_trainer(job, data, classes, config, device, shard=first)
    progress = events.progress
    expected = estimate_run(trainer, batches, data, cache, progress=progress, processes=processes)
    events.estimated(expected)
    return check, expected


def _read(
    job: TrainJob, cache: Cache, events: TrainEvents
) -> tuple[SplitSource, list[Sample], DataCheck]:
    """Opens the data set, reads the whole split and reports what is wrong with it."""
    dataset = open_dataset(job.data, cache)
    require_evaluation(dataset, job.split, job.recipe.train.validation)
    samples, problems = read_all(dataset, job.split, events.progress)
    check = DataCheck.of(job.split, samples, problems, dataset.classes)
    events.checked(check)
    return SplitSource(dataset, job.proposals, cache, events.progress), samples, check
