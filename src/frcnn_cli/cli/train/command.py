"""`frcnn train`: train a detector on annotated images."""

from __future__ import annotations

import logging
import shlex
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from frcnn_cli.cli import options
from frcnn_cli.cli.options import argument, option, switch
from frcnn_cli.cli.ranks import first_reports, is_first
from frcnn_cli.cli.terminal import FAILED, INTERRUPTED, SOME_FAILED, Terminal
from frcnn_cli.cli.text import count, duration, facts, from_score
from frcnn_cli.cli.train.job import new_job, resumed_job, scaling
from frcnn_cli.config import InputConfig, ModelConfig, ProposalConfig, TrainConfig
from frcnn_cli.config.fields import Panel
from frcnn_cli.config.recipes import RecipeName
from frcnn_cli.errors import FrcnnError

if TYPE_CHECKING:
    import torch

    from frcnn_cli.cache.store import Cache
    from frcnn_cli.training.runs.events import TrainResult
    from frcnn_cli.training.runs.folder import RunFolder
    from frcnn_cli.training.runs.job import TrainJob

_LOGGER = logging.getLogger(__name__)

EXAMPLES = """[bold]Examples[/]

[cyan]frcnn train[/]  [dim]the data set of this folder, the default network[/]

[cyan]frcnn train data/ --gpus 1 --backbone vgg16 --recipe paper[/]  [dim]as Girshick 2015[/]

[cyan]frcnn train --resume[/]  [dim]continue an interrupted run[/]
"""


@options.command(
    flags=(ModelConfig, InputConfig, TrainConfig),
    excludes={"replay": ("run", "resume", "dry_run", "processes")},
)
def train(
    context: options.CommandContext,
    click: typer.Context,
    data: Annotated[Path, argument("DATA")] = Path(),
    *,
    gpus: Annotated[
        int | None, option("N", "--gpus", default="a GPU if there is one", min=0)
    ] = None,
    processes: Annotated[int | None, option("N", "--processes", default="1", min=1)] = None,
    split: Annotated[
        str | None, option("NAME", default="trainval; train where the data has val but no test")
    ] = None,
    weights: Annotated[str, option("WHAT", panel=Panel.NETWORK)] = "imagenet",
    recipe_name: Annotated[
        RecipeName, option("NAME", "--recipe", panel=Panel.SCHEDULE)
    ] = "default",
    batch: Annotated[
        int | None, option("N", "--batch", default="2 per process", min=1, panel=Panel.SCHEDULE)
    ] = None,
    no_box_regression: Annotated[bool, switch("--no-box-regression", panel=Panel.SCHEDULE)] = False,
    scales: Annotated[
        str | None, option("N,N,…", default="the recipe's", panel=Panel.SCHEDULE)
    ] = None,
    tiles: Annotated[int | None, options.flag(ProposalConfig, "tiles")] = None,
    tensorboard: Annotated[bool, switch("--tensorboard", panel=Panel.EVALUATION)] = False,
    run: Annotated[str | None, option("NAME", default="the backbone and a number")] = None,
    resume: Annotated[bool, switch("--resume")] = False,
    dry_run: Annotated[bool, switch("--dry-run")] = False,
    replay: Annotated[Path | None, option("FILE", "--replay")] = None,
    **_: Any,
) -> None:
    """Train a detector on annotated images; missing proposals are searched for first.

    Args:
        data: Folder of the data set.
        gpus: Number of GPUs, one process each; 0: the CPU.
        processes: Number of CPU processes, with --gpus 0.
        split: Split to train on.
        weights: imagenet, none, a .pth or .safetensors file, or a detector: bundled, a run or a
            checkpoint; it sets the defaults of --backbone, --pool and --tiles.
        recipe_name: default (tuned for the backbone), paper, or caffe (the release).
        batch: Images per step, over all processes; scales the learning rate and the steps.
        no_box_regression: Train classification only, without box regression (Table 6).
        scales: Short sides in pixels, one drawn per image (Table 7); detection uses the largest.
        tensorboard: Also write TensorBoard metrics into the run's folder.
        run: Name of the run.
        resume: Continue --run, or the newest run, with its settings; other flags must equal them.
        dry_run: Check the data, estimate time, memory and disk, and stop before the first
            step.
        replay: Repeat the step in FILE, whose loss was not finite, and show where it began.
    """
    from frcnn_cli.training.distributed.context import DistributedContext
    from frcnn_cli.training.distributed.launch import device_of, processes_wanted, run_processes
    from frcnn_cli.training.runs.agreement import check_batch_divides
    from frcnn_cli.training.runs.folder import RunFolder

    terminal, cache = context.terminal, context.cache
    if not is_first():
        terminal.silence()
    distributed = DistributedContext.from_env()
    if replay is not None:
        _replay(terminal, replay, device_of(distributed, gpus))
        return
    with first_reports(FrcnnError, code=FAILED):
        wanted = (
            processes_wanted(gpus, processes)
            if distributed.world_size == 1
            else distributed.world_size
        )
        old = RunFolder.existing(cache, run) if resume else None
        if old is None:
            job = new_job(context.settings(), click.params, wanted, cache)
        else:
            job = resumed_job(old.job(), click, cache)
        if not dry_run:
            check_batch_divides(job.recipe.train, wanted)
    if wanted > distributed.world_size and not dry_run:
        if code := run_processes(wanted, sys.argv[1:]):
            raise typer.Exit(code)
        return
    device = device_of(distributed, gpus)  # before the work that would come to nothing
    if old is None and (scaled := scaling(job, click.params)):
        terminal.say(scaled)
    if dry_run:
        _check(terminal, job, cache, device, wanted)
        return
    with _one_rank_reports():
        result = _train(terminal, job, cache, device, name=run, old=old, tensorboard=tensorboard)
    if result is not None:
        _print_result(terminal, job, result, _next(job, result, context))
        terminal.finish(list(result.failures), succeeded=1)


@contextmanager
def _one_rank_reports() -> Iterator[None]:
    """Suppresses secondary errors; the failing rank reports the cause."""
    from frcnn_cli.training.distributed.context import RankLostError
    from frcnn_cli.training.distributed.watch import end_process

    try:
        yield
    except RankLostError as error:
        _LOGGER.debug("%s", error)
        end_process()
    except KeyboardInterrupt as error:
        if is_first():
            raise
        raise typer.Exit(INTERRUPTED) from error


def _replay(terminal: Terminal, file: Path, device: torch.device) -> None:
    """Shows where values that are not finite come from."""
    from frcnn_cli.cli.train.replay import replay_json, replay_shown
    from frcnn_cli.training.replay import replay

    replayed = replay(file, device)
    terminal.result(replay_json(replayed), replay_shown(replayed))


def _check(
    terminal: Terminal, job: TrainJob, cache: Cache, device: torch.device, processes: int
) -> None:
    """Checks the data and estimates the run, without training."""
    from frcnn_cli.cli.train.display import TrainingDisplay
    from frcnn_cli.cli.train.preflight import preflight_json
    from frcnn_cli.training.runs.setup import check_training

    with TrainingDisplay(terminal) as display:
        events = display.events()
        check, estimate = check_training(job, cache, device, processes=processes, events=events)
    terminal.result(preflight_json(check, estimate), "Nothing was trained (--dry-run).")
    if check.failures:
        raise typer.Exit(SOME_FAILED)


def _train(
    terminal: Terminal,
    job: TrainJob,
    cache: Cache,
    device: torch.device,
    *,
    name: str | None,
    old: RunFolder | None,
    tensorboard: bool,
) -> TrainResult | None:
    """Starts the run `name`, or resumes `old`, and shows the progress; None in ranks but 0."""
    from frcnn_cli.cli.train.display import TrainingDisplay
    from frcnn_cli.training.distributed.context import connected
    from frcnn_cli.training.runs.folder import RunFolder
    from frcnn_cli.training.runs.train import prepare_run, train_detector

    terminal.if_interrupted = f"the proposals found so far are kept in {cache.root}"
    with ExitStack() as stack:
        distributed = stack.enter_context(connected(device))
        folder = None
        if distributed.is_main_process:
            folder = stack.enter_context(old or RunFolder.new(cache, name, job.model.backbone))
        events = stack.enter_context(TrainingDisplay(terminal)).events()
        prepared = prepare_run(
            job,
            cache,
            device,
            resume=old,
            context=distributed,
            tensorboard=tensorboard,
            events=events,
        )
        return train_detector(prepared, folder, events)


def _ended_early(job: TrainJob, result: TrainResult) -> str:
    """Returns why the run did not take all of its steps; "" where it did."""
    if result.steps == result.iterations:
        return ""
    waited = count(job.recipe.train.validation.patience, "evaluation")
    return f"before step {result.iterations:,}: no better mAP in {waited} (--patience)"


def _next(job: TrainJob, result: TrainResult, context: options.CommandContext) -> str:
    """Returns a command that works next: scoring, or detection in data without such a split."""
    words = ["frcnn", *(("detect", result.example) if result.next_split is None else ("eval",))]
    if result.next_split is not None and job.data != Path():
        words.append(job.data)
    if job.proposals.tiles:
        words += ["--tiles", job.proposals.tiles]
    if context.cache_dir != options.DEFAULT_CACHE:
        words += ["--cache-dir", context.cache_dir]
    if context.config is not None:
        words += ["--config", context.config]
    return shlex.join(map(str, words))


def _scored(job: TrainJob, result: TrainResult) -> str:
    """Returns the mAP at the end and what it belongs to; "" where there is none."""
    if result.score is None:
        return ""
    split = result.score.split
    text = f"{result.score.map:.3f} (11-point) on "
    text += f"{count(result.score.images, 'image')} of {split}"
    if result.best_map is not None and split == job.recipe.train.validation.eval_split:
        text += ", which selected the checkpoint too: other images may score lower"
    return text


def _print_result(terminal: Terminal, job: TrainJob, result: TrainResult, following: str) -> None:
    calibration = None if result.score is None else result.score.calibration
    threshold = None if calibration is None else calibration.threshold
    data: dict[str, Any] = {
        "schema": "frcnn.training/1",
        "run": str(result.run),
        "checkpoint": str(result.best),
        "steps": result.steps,
        "map_val": result.best_map,
        "map": None if result.score is None else result.score.map,
        "map_split": None if result.score is None else result.score.split,
        "threshold": None if threshold is None else asdict(threshold),
        "command": result.command,
        "next": following,
        "seconds": round(result.seconds, 1),
        "failures": [str(failure) for failure in result.failures],
    }
    summary = facts(
        f"Trained {result.steps:,} steps in {duration(result.seconds)}",
        {
            "finished": _ended_early(job, result),
            "checkpoint": str(result.best),
            "selected by": "the last step, as there are no images to validate on"
            if result.best_map is None
            else f"mAP on held-out images, {result.best_map:.3f}",
            "mAP": _scored(job, result),
            "confident": "" if threshold is None else from_score(threshold),
            "curves": str(result.run / "curves.png"),
            "rerun": result.command,
            "left out": count(len(result.failures), "image") if result.failures else "",
            "next": following,
        },
        complete=not result.failures,
    )
    terminal.result(data, summary)
