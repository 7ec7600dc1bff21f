"""Training from Python."""

from __future__ import annotations

import os
from pathlib import Path

from frcnn_cli.api.photograph import PathLike
from frcnn_cli.cache.store import Cache
from frcnn_cli.config import ModelConfig, ProposalConfig
from frcnn_cli.config.recipes import Recipe, recipe
from frcnn_cli.runtime.device import pick_device
from frcnn_cli.training.runs.events import TrainEvents, TrainResult
from frcnn_cli.training.runs.folder import RunFolder
from frcnn_cli.training.runs.job import TrainJob
from frcnn_cli.training.runs.train import train_detector


def train(
    data: PathLike,
    *,
    split: str = "trainval",
    model: ModelConfig | None = None,
    schedule: Recipe | None = None,
    weights: PathLike = "imagenet",
    regions: ProposalConfig | None = None,
    gpus: int | None = None,
    cache: PathLike = ".frcnn",
    run: str | None = None,
    events: TrainEvents | None = None,
) -> TrainResult:
    """Trains a detector: `Detector.load(train("data").best)`.

    Args:
        data: folder of the data set.
        split: images to train on.
        model: backbone, pooling, depth of fine-tuning.
        schedule: steps, rates and sizes; None is the backbone's default recipe.
        weights: "imagenet", "none", or a file to start from.
        regions: how regions are searched.
        gpus: 0 for the CPU, 1 for a GPU, None for what there is.
        cache: the folder that keeps regions and runs; it is made if need be.
        run: name of the run's folder in the cache; None is the backbone's and a number.
        events: who is told of steps and validation.

    Returns:
        The run's folder, its best checkpoint, and the images that were left out.

    Raises:
        FrcnnError: the data, the weights, the device or the loss do not allow it.
    """
    model = model or ModelConfig()
    schedule = schedule or recipe("default", model.backbone)
    job = TrainJob(
        Path(data), split, model, schedule, regions or ProposalConfig(), os.fspath(weights)
    )
    store = Cache(Path(cache))
    device = pick_device(gpus)
    with RunFolder.new(store, run, model.backbone) as folder:
        result = train_detector(job, folder, store, device, events=events)
    assert result is not None  # as there is a folder
    return result
