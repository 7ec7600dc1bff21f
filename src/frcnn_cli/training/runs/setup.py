"""Data, model and trainer of a run, as its job describes them."""

from __future__ import annotations

from collections.abc import Sequence

import torch

from frcnn_cli.cache.store import Cache
from frcnn_cli.config import TrainConfig
from frcnn_cli.config.recipes import for_images
from frcnn_cli.data.formats.layout import training_split
from frcnn_cli.data.open import open_dataset
from frcnn_cli.errors import DataError, count
from frcnn_cli.model.build import build_model
from frcnn_cli.model.fast_rcnn import FastRCNN
from frcnn_cli.proposals.service import ProposalRun
from frcnn_cli.runtime.device import autocast_for
from frcnn_cli.runtime.memory import translate_out_of_memory
from frcnn_cli.runtime.progress import Progress, silent
from frcnn_cli.training.batches.dataset import TrainingSet
from frcnn_cli.training.batches.split_data import (
    AnnotatedData,
    SplitData,
    require_evaluation,
    require_objects,
)
from frcnn_cli.training.distributed.context import SINGLE_PROCESS, DistributedContext
from frcnn_cli.training.engine.class_statistics import use_per_class_delta_stats
from frcnn_cli.training.engine.loop import Trainer
from frcnn_cli.training.engine.stages import disable_box_regression
from frcnn_cli.training.preflight.checks import (
    NOT_LOOKED,
    Coverage,
    DataCheck,
    RunEstimate,
    cover,
    read_all,
)
from frcnn_cli.training.preflight.cost import estimate
from frcnn_cli.training.pretrained import load_initial_weights
from frcnn_cli.training.runs.agreement import check_batch_divides, intersect_across_ranks
from frcnn_cli.training.runs.events import TrainEvents
from frcnn_cli.training.runs.job import TrainJob


def read_data(job: TrainJob, cache: Cache, events: TrainEvents) -> tuple[AnnotatedData, DataCheck]:
    """Opens the data set, reads the split to train on and reports what is wrong with it.

    Args:
        job: names the data set and the split.
        cache: holds proposals and generated splits.
        events: `checked` receives the problems of the annotations.

    Returns:
        The data, and what is wrong with it.

    Raises:
        FrcnnError: the data set cannot be used.
    """
    dataset = open_dataset(job.data, cache)
    split = job.split or training_split(dataset.splits)
    settings = job.recipe.train
    require_evaluation(dataset, split, settings.validation)
    samples, problems = read_all(dataset, split, events.progress)
    check = DataCheck.of(split, samples, problems, dataset.classes)
    events.checked(check)
    on_difficult = settings.sampling.train_on_difficult
    if check.difficult and not (sum(check.objects.values()) or on_difficult):
        raise DataError(
            f"{count(check.difficult, 'difficult object')} and no other in {split!r}",
            remedy="set train_on_difficult in the [train] table of frcnn.toml",
            file=dataset.root,
        )
    searched = job.proposals, cache, events.progress
    read = AnnotatedData(dataset, split, samples, check.failures, settings.validation, *searched)
    return read, check


def find_proposals(
    read: AnnotatedData, context: DistributedContext
) -> tuple[SplitData, SplitData | None]:
    """Searches the proposals that are missing.

    Returns:
        The images to train on that every rank can use, and those held out, whose mAP selects the
        best checkpoint; None without any.

    Raises:
        DataError: no image with an object is left.
    """
    with context.local_main_process_first():
        train, held_out = read.train(), read.held_out()
    common = intersect_across_ranks(train, context)
    held_out = intersect_across_ranks(held_out, context)
    if common is None:
        raise DataError("no image can be used by every process", file=read.dataset.root)
    return common, held_out


def build_network(job: TrainJob, classes: Sequence[str], *, pretrained: bool = True) -> FastRCNN:
    """Returns the network before its first step.

    Args:
        job: names the network and its first weights.
        classes: K names.
        pretrained: whether to load the first weights; a resumed run has its own.

    Raises:
        FrcnnError: there is no such network, or there are no such weights.
    """
    config = job.recipe.train
    model = build_model(job.model, len(classes), config.seed)
    if pretrained:
        load_initial_weights(model, job.model.backbone, job.weights, classes)
    if config.loss.class_statistics:
        use_per_class_delta_stats(model)
    if not config.loss.box_loss_weight:
        disable_box_regression(model)
    return model


def build_trainer(
    model: FastRCNN,
    data: SplitData,
    config: TrainConfig,
    device: torch.device,
    *,
    context: DistributedContext = SINGLE_PROCESS,
    shard: DistributedContext | None = None,
) -> tuple[Trainer, TrainingSet]:
    """Returns the trainer before its first step, and the batches that it trains on.

    Args:
        model: of `build_network`.
        data: the images to train on.
        config: the recipe, its number of steps resolved.
        device: of the model.
        context: the ranks that average their gradients.
        shard: the rank whose part of each step the batches hold; None is `context`.
    """
    spec = model.backbone.spec
    rank = shard or context
    batches = TrainingSet(data.samples, data.proposals, config, spec, rank, device=device)
    autocast = autocast_for(device, config.precision)
    return Trainer(model.to(device), config, device, autocast, context), batches


def coverage_of(
    data: SplitData, context: DistributedContext = SINGLE_PROCESS, progress: Progress = silent
) -> Coverage:
    """Returns how well the cached proposals cover the objects; only rank 0 reads them.

    Args:
        data: the images to train on.
        context: rank and world size of this process.
        progress: of the reading of proposals.
    """
    if not context.is_main_process:
        return NOT_LOOKED
    return cover(data.samples, data.proposals.config, data.proposals.cache, progress)


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
    read, check = read_data(job, cache, events)
    proposals = ProposalRun(job.proposals, cache)
    data = SplitData(read.dataset, read.name, read.samples, read.failures, proposals)
    require_objects(data)
    read.apart(read.validation.eval_split)  # may warn
    config = for_images(job.recipe.train, len(data.samples))
    model = build_network(job, read.dataset.classes)
    trainer, batches = build_trainer(model, data, config, device, shard=first)
    coverage = coverage_of(data, progress=events.progress)
    expected = RunEstimate(coverage, estimate(trainer, batches.first, cache.root, processes))
    events.estimated(expected)
    return check, expected
