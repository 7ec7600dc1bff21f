"""Training from Python."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

from frcnn_cli.api.image import PathLike
from frcnn_cli.cache.store import Cache
from frcnn_cli.config import ProposalConfig
from frcnn_cli.config.recipes import RecipeName
from frcnn_cli.errors import ConfigError
from frcnn_cli.runtime.device import pick_device
from frcnn_cli.runtime.progress import log_lines
from frcnn_cli.training.engine.report import StepReport
from frcnn_cli.training.runs.events import TrainEvents, TrainResult, TrainStart
from frcnn_cli.training.runs.folder import RunFolder
from frcnn_cli.training.runs.job import first_weights, new_job
from frcnn_cli.training.runs.train import prepare_run, train_detector

_LOGGER = logging.getLogger("frcnn_cli")


def train(
    data: PathLike,
    *,
    split: str | None = None,
    recipe: RecipeName = "default",
    weights: PathLike = "imagenet",
    regions: ProposalConfig | None = None,
    gpus: int | None = None,
    cache: PathLike = ".frcnn",
    run: str | None = None,
    resume: bool = False,
    tensorboard: bool = False,
    events: TrainEvents | None = None,
    **settings: Any,
) -> TrainResult:
    """Trains a detector: `Detector.load(train("data", iterations=600).best)`.

    Args:
        data: folder of the data set.
        split: name of the split to train on; None is "trainval", or "train" where the data has
            "val" but no "test".
        recipe: training settings by name: "default" (tuned for the backbone), "paper" or "caffe".
        weights: "imagenet", "none", or a file of weights; or a detector: "bundled" (that of
            `Detector.load`), a checkpoint, or the folder or the name of a run. The backbone, the
            pool and the tiles of a detector are the defaults.
        regions: settings of the region search.
        gpus: 0 is the CPU, 1 a GPU, None a GPU if there is one.
        cache: folder of proposals and runs; it is created if it is missing.
        run: name of the run's folder in the cache; None is the backbone and a number.
        resume: whether to continue `run`, or (None) the newest run, with its settings.
        tensorboard: whether to write TensorBoard metrics into the run's folder too.
        events: callbacks for steps and evaluations; None logs a line now and then.
        settings: any of [model], [train] and [input] in `frcnn.toml`, by name; they override the
            recipe: `backbone="resnet50", iterations=1000, short_sides=(480, 600)`.

    Returns:
        The run's folder, its best checkpoint, its score, and why images were left out.

    Raises:
        FrcnnError: the data, the weights, the device or the loss do not allow it.
    """
    started = {"split": split, "recipe": recipe, "weights": weights, "regions": regions}
    usual = {"recipe": "default", "weights": "imagenet"}
    given = {n: value for n, value in started.items() if value != usual.get(n)} | settings
    if resume and given:
        raise ConfigError(
            f"{min(given)} is given with resume, but a resumed run keeps its settings",
            remedy="leave it out, or start a new run",
        )
    store = Cache(Path(cache))
    device = pick_device(gpus)
    old = RunFolder.existing(store, run) if resume else None
    job = (
        old.job()
        if old is not None
        else new_job(
            Path(data),
            settings,
            split=split,
            weights=first_weights(weights, store),
            recipe_name=recipe,
            proposals=regions,
        )
    )
    events = events or _logged()
    with old or RunFolder.new(store, run, job.model.backbone) as folder:
        prepared = prepare_run(
            job, store, device, resume=old, tensorboard=tensorboard, events=events
        )
        result = train_detector(prepared, folder, events)
    assert result is not None  # only ranks without a folder return None
    return result


def _logged() -> TrainEvents:
    """Returns callbacks that log how far a run is, with the time left."""
    steps = log_lines(_LOGGER, "steps")
    totals = [0]

    def started(start: TrainStart) -> None:
        totals[0] = start.iterations
        _LOGGER.info("training %s on %s", start.run.name, start.dataset)

    def stepped(report: StepReport) -> None:
        steps("Training", report.step, totals[0])

    def evaluated(step: int, score: float) -> None:
        _LOGGER.info("step %d: mAP %.3f on held-out images", step, score)

    return TrainEvents(
        log_lines(_LOGGER, "images"), started=started, stepped=stepped, evaluated=evaluated
    )
