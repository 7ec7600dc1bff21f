"""The options of `frcnn train`, in the order of its help."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from frcnn_cli.config.recipes import RecipeName

_NETWORK = "Network"
_SCHEDULE = "Schedule"
_EVALUATION = "Checkpoints and evaluation"
_RECIPES = "the recipe's"

Data = Annotated[Path, typer.Argument(metavar="DATA", help="Folder of the data set.")]
Split = Annotated[str, typer.Option(metavar="NAME", help="Split to train on.")]
Gpus = Annotated[
    int | None,
    typer.Option(
        "--gpus",
        min=0,
        metavar="N",
        help="Number of GPUs, one process each; 0: the CPU.",
        show_default="a GPU if there is one",
    ),
]
Processes = Annotated[
    int | None,
    typer.Option(
        "--processes",
        min=1,
        metavar="N",
        help="Number of CPU processes, with --gpus 0.",
        show_default="1",
    ),
]
Run = Annotated[
    str | None,
    typer.Option(metavar="NAME", help="Name of the run.", show_default="the backbone and a number"),
]
Resume = Annotated[
    bool,
    typer.Option(
        "--resume", metavar="", help="Continue --run, or the newest run, with its settings."
    ),
]
Replay = Annotated[
    Path | None,
    typer.Option(
        "--replay",
        metavar="FILE",
        help="Repeat the step in FILE, whose loss was not finite, and show where it began.",
        show_default=False,
    ),
]
DryRun = Annotated[
    bool,
    typer.Option(
        "--dry-run",
        metavar="",
        help="Check the data, estimate time, memory and disk, and stop before the first step.",
    ),
]

Weights = Annotated[
    str,
    typer.Option(
        metavar="WHAT",
        help="imagenet, none, or a .pth or .safetensors file.",
        rich_help_panel=_NETWORK,
    ),
]

RecipeOption = Annotated[
    RecipeName,
    typer.Option(
        "--recipe",
        metavar="NAME",
        help="default (tuned for the backbone), paper, or caffe (the release).",
        rich_help_panel=_SCHEDULE,
    ),
]
BatchSize = Annotated[
    int | None,
    typer.Option(
        "--batch",
        min=1,
        metavar="N",
        help="Images per step, over all processes; scales the learning rate and the steps.",
        show_default="2 per process",
        rich_help_panel=_SCHEDULE,
    ),
]
NoBoxRegression = Annotated[
    bool,
    typer.Option(
        "--no-box-regression",
        metavar="",
        help="Train classification only, without box regression (Table 6).",
        rich_help_panel=_SCHEDULE,
    ),
]
Scales = Annotated[
    str | None,
    typer.Option(
        metavar="N,N,…",
        help="Short sides in pixels, one drawn per image (Table 7).",
        show_default=_RECIPES,
        rich_help_panel=_SCHEDULE,
    ),
]

TensorBoard = Annotated[
    bool,
    typer.Option(
        "--tensorboard",
        metavar="",
        help="Also write TensorBoard metrics into the run's folder.",
        rich_help_panel=_EVALUATION,
    ),
]
