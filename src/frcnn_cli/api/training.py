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
        split: name of the split to train on.
        model: backbone, pooling and depth of fine-tuning.
        schedule: training settings; None is the backbone's default recipe.
        weights: "imagenet", "none", or a file to start from.
        regions: settings of the region search.
        gpus: 0 is the CPU, 1 a GPU, None a GPU if there is one.
        cache: folder of proposals and runs; it is created if it is missing.
        run: name of the run's folder in the cache; None is the backbone and a number.
        events: callbacks for steps and evaluations.

    Returns:
        The run's folder, its best checkpoint, its score, and why images were left out.

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
    assert result is not None  # only ranks without a folder return None
    return result
