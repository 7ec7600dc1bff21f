"""The options of `frcnn train`, in the order of its help."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from frcnn_cli.cli.options import argument, option, switch
from frcnn_cli.config.recipes import RecipeName

_NETWORK = "Network"
_SCHEDULE = "Schedule"
_EVALUATION = "Checkpoints and evaluation"
_RECIPES = "the recipe's"

Data = Annotated[Path, argument("DATA", text="Folder of the data set.")]
Split = Annotated[str, option("NAME", text="Split to train on.")]
Gpus = Annotated[
    int | None,
    option(
        "N",
        "--gpus",
        text="Number of GPUs, one process each; 0: the CPU.",
        default="a GPU if there is one",
        min=0,
    ),
]
Processes = Annotated[
    int | None,
    option("N", "--processes", text="Number of CPU processes, with --gpus 0.", default="1", min=1),
]
Run = Annotated[
    str | None, option("NAME", text="Name of the run.", default="the backbone and a number")
]
Resume = Annotated[
    bool, switch("--resume", text="Continue --run, or the newest run, with its settings.")
]
Replay = Annotated[
    Path | None,
    option(
        "FILE",
        "--replay",
        text="Repeat the step in FILE, whose loss was not finite, and show where it began.",
    ),
]
DryRun = Annotated[
    bool,
    switch(
        "--dry-run",
        text="Check the data, estimate time, memory and disk, and stop before the first step.",
    ),
]

Weights = Annotated[
    str, option("WHAT", text="imagenet, none, or a .pth or .safetensors file.", panel=_NETWORK)
]

RecipeOption = Annotated[
    RecipeName,
    option(
        "NAME",
        "--recipe",
        text="default (tuned for the backbone), paper, or caffe (the release).",
        panel=_SCHEDULE,
    ),
]
BatchSize = Annotated[
    int | None,
    option(
        "N",
        "--batch",
        text="Images per step, over all processes; scales the learning rate and the steps.",
        default="2 per process",
        min=1,
        panel=_SCHEDULE,
    ),
]
NoBoxRegression = Annotated[
    bool,
    switch(
        "--no-box-regression",
        text="Train classification only, without box regression (Table 6).",
        panel=_SCHEDULE,
    ),
]
Scales = Annotated[
    str | None,
    option(
        "N,N,…",
        text="Short sides in pixels, one drawn per image (Table 7).",
        default=_RECIPES,
        panel=_SCHEDULE,
    ),
]

TensorBoard = Annotated[
    bool,
    switch(
        "--tensorboard",
        text="Also write TensorBoard metrics into the run's folder.",
        panel=_EVALUATION,
    ),
]
