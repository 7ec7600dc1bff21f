"""`frcnn train`: train a detector on annotated photographs."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from frcnn_cli.cli import options
from frcnn_cli.cli.console import Terminal
from frcnn_cli.cli.summary import count, duration, facts
from frcnn_cli.config import BackboneName, ModelConfig, Pool, ProposalConfig
from frcnn_cli.recipes import Recipe, RecipeName, recipe

if TYPE_CHECKING:
    from frcnn_cli.pipelines.train import TrainResult, TrainStart
    from frcnn_cli.pipelines.train_job import TrainJob

_MODEL = ModelConfig()
_SCHEDULE = "Schedule"
_NETWORK = "Network"

EXAMPLES = """[bold]Examples[/]

[cyan]frcnn train[/]  [dim]the data set in this folder, the default network[/]

[cyan]frcnn train data/ --gpus 1 --backbone vgg16 --recipe paper[/]  [dim]as Girshick 2015[/]

[cyan]frcnn train --resume[/]  [dim]go on with the run that was stopped[/]
"""


def train(
    data: Annotated[
        Path, typer.Argument(metavar="DATA", help="Folder that holds the data set.")
    ] = Path(),
    *,
    gpus: options.Gpus = None,
    split: Annotated[
        str, typer.Option(metavar="NAME", help="Photographs to train on.")
    ] = "trainval",
    backbone: Annotated[
        BackboneName | None,
        typer.Option(
            metavar="NAME",
            help="efficientnet_lite0, vgg16 (L), vgg_cnn_m_1024 (M), alexnet (S) or resnet50.",
            show_default=_MODEL.backbone,
            rich_help_panel=_NETWORK,
        ),
    ] = None,
    weights: Annotated[
        str,
        typer.Option(
            metavar="WHAT",
            help="imagenet, none, or a .pth or .safetensors file.",
            rich_help_panel=_NETWORK,
        ),
    ] = "imagenet",
    pool: Annotated[
        Pool | None,
        typer.Option(
            metavar="NAME",
            help="roi_pool (the paper's maxima) or roi_align.",
            show_default=_MODEL.pool,
            rich_help_panel=_NETWORK,
        ),
    ] = None,
    finetune_from: Annotated[
        str | None,
        typer.Option(
            metavar="LAYER",
            help="First layer that is trained, such as conv3_1; all trains everything.",
            show_default="the backbone's",
            rich_help_panel=_NETWORK,
        ),
    ] = None,
    recipe_name: Annotated[
        RecipeName,
        typer.Option(
            "--recipe",
            metavar="NAME",
            help="default (what was measured to work) or paper.",
            rich_help_panel=_SCHEDULE,
        ),
    ] = "default",
    iterations: Annotated[
        int | None,
        typer.Option(
            min=1,
            metavar="N",
            help="Steps.",
            show_default="the recipe's",
            rich_help_panel=_SCHEDULE,
        ),
    ] = None,
    lr: Annotated[
        float | None,
        typer.Option(
            metavar="RATE",
            help="Learning rate.",
            show_default="the recipe's",
            rich_help_panel=_SCHEDULE,
        ),
    ] = None,
    checkpoint_every: Annotated[
        int | None,
        typer.Option(
            min=1,
            metavar="N",
            help="Steps between checkpoints.",
            show_default="the recipe's",
            rich_help_panel=_SCHEDULE,
        ),
    ] = None,
    seed: Annotated[
        int | None,
        typer.Option(
            min=0,
            metavar="N",
            help="Decides every draw.",
            show_default="0",
            rich_help_panel=_SCHEDULE,
        ),
    ] = None,
    run: Annotated[
        str | None,
        typer.Option(
            metavar="NAME", help="Name of the run.", show_default="the backbone's and a number"
        ),
    ] = None,
    resume: Annotated[
        bool,
        typer.Option(
            "--resume", metavar="", help="Go on with --run, or with the newest run, as it began."
        ),
    ] = False,
    cache_dir: options.CacheDir = options.DEFAULT_CACHE,
    config: options.ConfigFile = None,
    quiet: options.Quiet = False,
    verbose: options.Verbose = False,
    as_json: options.AsJson = False,
) -> None:
    """Train a detector on annotated photographs; regions not yet searched are searched first."""
    with Terminal(quiet, verbose, as_json) as terminal:
        from frcnn_cli.cache.store import Cache
        from frcnn_cli.cli.training_display import TrainingDisplay
        from frcnn_cli.pipelines.device import pick_device
        from frcnn_cli.pipelines.run_folder import RunFolder
        from frcnn_cli.pipelines.train import TrainEvents, train_detector
        from frcnn_cli.pipelines.train_job import TrainJob

        pick_device(gpus)  # before the work that would come to nothing
        cache = Cache(cache_dir)
        if resume:
            folder = RunFolder.existing(cache, run)
            job = folder.job()
        else:
            settings = options.Settings.load(config)
            model = settings.apply(
                "model", _MODEL, backbone=backbone, pool=pool, finetune_from=finetune_from
            )
            chosen = recipe(recipe_name, model.backbone)
            schedule = settings.apply(
                "train",
                chosen.train,
                iterations=iterations,
                epochs=0.0 if _counts_steps(iterations, settings) else None,
                lr=lr,
                checkpoint_every=checkpoint_every,
                seed=seed,
            )
            chosen = Recipe(schedule, settings.apply("input", chosen.input))
            proposals = settings.apply("proposals", ProposalConfig())
            job = TrainJob(data, split, model, chosen, proposals, weights)
            folder = RunFolder.new(cache, run, model.backbone)
        terminal.if_interrupted = f"the regions searched so far are kept in {cache_dir}"
        with TrainingDisplay(terminal, job.recipe.train.images_per_batch) as display:

            def started(start: TrainStart) -> None:
                terminal.if_interrupted = (
                    f"its steps are kept; frcnn train --resume --run {start.run.name} goes on"
                )
                display.started(start)

            events = TrainEvents(display.progress, started, display.stepped, display.validated)
            result = train_detector(job, folder, cache, gpus=gpus, resume=resume, events=events)
        _print_result(terminal, job, result)
        terminal.finish(list(result.failures), succeeded=1)


def _counts_steps(iterations: int | None, settings: options.Settings) -> bool:
    """Returns whether the user said how many steps; the recipe's passes then do not count."""
    table = settings.tables.get("train", {})
    return iterations is not None or ("iterations" in table and "epochs" not in table)


def _print_result(terminal: Terminal, job: TrainJob, result: TrainResult) -> None:
    data: dict[str, Any] = {
        "schema": "frcnn.training/1",
        "run": str(result.run),
        "checkpoint": str(result.best),
        "steps": result.steps,
        "map_val": result.best_map,
        "seconds": round(result.seconds, 1),
        "failures": [str(failure) for failure in result.failures],
    }
    summary = facts(
        f"Trained {result.steps:,} steps in {duration(result.seconds)}",
        {
            "checkpoint": str(result.best),
            "chosen by": "the last step, as no photographs were left to validate on"
            if result.best_map is None
            else f"mAP on val, {result.best_map:.3f}",
            "curves": str(result.run / "curves.png"),
            "left out": count(len(result.failures), "photograph") if result.failures else "",
            "next": f"frcnn eval {job.data}" if job.data != Path() else "frcnn eval",
        },
        complete=not result.failures,
    )
    terminal.result(data, summary)
