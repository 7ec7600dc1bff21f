"""`frcnn train`: train a detector on annotated photographs."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from frcnn_cli.cli import options
from frcnn_cli.cli import train_options as flags
from frcnn_cli.cli.console import SOME_FAILED, Terminal
from frcnn_cli.cli.preflight_display import preflight_json
from frcnn_cli.cli.summary import count, duration, facts
from frcnn_cli.config import ModelConfig, ProposalConfig, TrainConfig, override
from frcnn_cli.errors import ConfigError
from frcnn_cli.recipes import Recipe, recipe

if TYPE_CHECKING:
    import torch

    from frcnn_cli.cache.store import Cache
    from frcnn_cli.pipelines.run_folder import RunFolder
    from frcnn_cli.pipelines.train_events import TrainResult, TrainStart
    from frcnn_cli.pipelines.train_job import TrainJob

EXAMPLES = """[bold]Examples[/]

[cyan]frcnn train[/]  [dim]the data set in this folder, the default network[/]

[cyan]frcnn train data/ --gpus 1 --backbone vgg16 --recipe paper[/]  [dim]as Girshick 2015[/]

[cyan]frcnn train --resume[/]  [dim]go on with the run that was stopped[/]
"""

_SCHEDULE = ("iterations", "lr", "seed", "checkpoint_every", "eval_every", "eval_split", "patience")
"""Options that are fields of `[train]`."""
_WHEN_RESUMED = {
    *("data", "gpus", "run", "resume", "cache_dir", "quiet", "verbose", "as_json"),
    *("iterations", "checkpoint_every", "eval_every", "eval_split", "patience", "tensorboard"),
}
"""Options that a run may go on with; the others would make it another run."""


def train(
    context: typer.Context,
    data: flags.Data = Path(),
    *,
    gpus: options.Gpus = None,
    split: flags.Split = "trainval",
    backbone: flags.Backbone = None,
    weights: flags.Weights = "imagenet",
    pool: flags.PoolName = None,
    finetune_from: flags.FinetuneFrom = None,
    recipe_name: flags.RecipeOption = "default",
    iterations: flags.Iterations = None,
    lr: flags.Rate = None,
    seed: flags.Seed = None,
    checkpoint_every: flags.CheckpointEvery = None,
    eval_every: flags.EvalEvery = None,
    eval_split: flags.EvalSplit = None,
    patience: flags.Patience = None,
    tensorboard: flags.TensorBoard = False,
    run: flags.Run = None,
    resume: flags.Resume = False,
    dry_run: flags.DryRun = False,
    replay: flags.Replay = None,
    cache_dir: options.CacheDir = options.DEFAULT_CACHE,
    config: options.ConfigFile = None,
    quiet: options.Quiet = False,
    verbose: options.Verbose = False,
    as_json: options.AsJson = False,
) -> None:
    """Train a detector on annotated photographs; regions not yet searched are searched first."""
    with Terminal(quiet, verbose, as_json) as terminal:
        from frcnn_cli.cache.store import Cache
        from frcnn_cli.pipelines.device import pick_device
        from frcnn_cli.pipelines.run_folder import RunFolder

        device = pick_device(gpus)  # before the work that would come to nothing
        cache = Cache(cache_dir)
        given = _given(context)
        if replay is not None:
            _replay(terminal, replay, device)
            return
        if dry_run:
            _check(terminal, _new_job(options.Settings.load(config), context.params), cache, device)
            return
        if resume:
            _refuse(given.keys() - _WHEN_RESUMED, context)
            folder = RunFolder.existing(cache, run)
            folder.hold()
            job = _changed(folder.job(), given)
        else:
            job = _new_job(options.Settings.load(config), context.params)
            folder = RunFolder.new(cache, run, job.model.backbone)
        with folder:
            _train(terminal, job, folder, cache, device, resume=resume, tensorboard=tensorboard)


def _replay(terminal: Terminal, file: Path, device: torch.device) -> None:
    """Shows where a loss that is not finite comes from."""
    from frcnn_cli.cli.replay_display import replay_json, replay_shown
    from frcnn_cli.pipelines.replay import replay

    replayed = replay(file, device)
    terminal.result(replay_json(replayed), replay_shown(replayed))


def _check(terminal: Terminal, job: TrainJob, cache: Cache, device: torch.device) -> None:
    """Does what comes before the first step."""
    from frcnn_cli.cli.training_display import TrainingDisplay
    from frcnn_cli.pipelines.train import check_training
    from frcnn_cli.pipelines.train_events import TrainEvents

    with TrainingDisplay(terminal, job.recipe.train.images_per_batch) as display:
        events = TrainEvents(display.progress, display.checked, display.estimated)
        check, outlook = check_training(job, cache, device, events=events)
    terminal.result(preflight_json(check, outlook), "Nothing was trained (--dry-run).")
    if check.failures:
        raise typer.Exit(SOME_FAILED)


def _train(
    terminal: Terminal,
    job: TrainJob,
    folder: RunFolder,
    cache: Cache,
    device: torch.device,
    *,
    resume: bool,
    tensorboard: bool,
) -> None:
    """Trains, shows how it goes, and prints what came out."""
    from frcnn_cli.cli.training_display import TrainingDisplay
    from frcnn_cli.pipelines.train import train_detector
    from frcnn_cli.pipelines.train_events import TrainEvents

    terminal.if_interrupted = f"the regions searched so far are kept in {cache.root}"
    with TrainingDisplay(terminal, job.recipe.train.images_per_batch) as display:

        def started(start: TrainStart) -> None:
            terminal.if_interrupted = (
                f"its steps are kept; frcnn train --resume --run {start.run.name} goes on"
            )
            display.started(start)

        events = TrainEvents(
            display.progress,
            display.checked,
            display.estimated,
            started,
            display.stepped,
            display.evaluated,
        )
        result = train_detector(
            job,
            folder,
            cache,
            device,
            resume=folder if resume else None,
            tensorboard=tensorboard,
            events=events,
        )
    assert result is not None
    _print_result(terminal, job, result)
    terminal.finish(list(result.failures), succeeded=1)


def _given(context: typer.Context) -> dict[str, Any]:
    """Returns the options that stand on the command line."""
    return {
        name: value
        for name, value in context.params.items()
        if (source := context.get_parameter_source(name)) and source.name == "COMMANDLINE"
    }


def _refuse(names: set[str], context: typer.Context) -> None:
    """Refuses options beside --resume.

    Raises:
        ConfigError: there is one.
    """
    for parameter in context.command.params:
        if parameter.name in names:
            raise ConfigError(
                f"{parameter.opts[0]} is given with --resume, and a run goes on as it began",
                remedy="leave it out, or start a new run",
            )


def _changed(job: TrainJob, given: dict[str, Any]) -> TrainJob:
    """Returns the job of a run that goes on, with what may be changed and was."""
    changes = {name: given[name] for name in _SCHEDULE if name in given}
    schedule = override(job.recipe.train, changes)
    return replace(
        job, data=given.get("data", job.data), recipe=replace(job.recipe, train=schedule)
    )


def _new_job(settings: options.Settings, chosen: dict[str, Any]) -> TrainJob:
    """Returns what is to be trained: defaults < recipe < `frcnn.toml` < flags."""
    from frcnn_cli.pipelines.train_job import TrainJob

    model = settings.apply(
        "model",
        ModelConfig(),
        **{name: chosen[name] for name in ("backbone", "pool", "finetune_from")},
    )
    base = recipe(chosen["recipe_name"], model.backbone)
    schedule: TrainConfig = settings.apply(
        "train",
        base.train,
        epochs=0.0 if _counts_steps(chosen["iterations"], settings) else None,
        **{name: chosen[name] for name in _SCHEDULE},
    )
    return TrainJob(
        chosen["data"],
        chosen["split"],
        model,
        Recipe(schedule, settings.apply("input", base.input)),
        settings.apply("proposals", ProposalConfig()),
        chosen["weights"],
    )


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
            else f"mAP on held-out photographs, {result.best_map:.3f}",
            "curves": str(result.run / "curves.png"),
            "left out": count(len(result.failures), "photograph") if result.failures else "",
            "next": f"frcnn eval {job.data}" if job.data != Path() else "frcnn eval",
        },
        complete=not result.failures,
    )
    terminal.result(data, summary)
