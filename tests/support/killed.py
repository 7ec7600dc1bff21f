"""Trains a small run in processes that are killed again and again, for test_killed.py.

    python killed.py DATA CACHE RUN SEED KILLS

A child is forked for each attempt, so that torch is imported once. It kills itself with SIGKILL a
little after it touched a file of the run's folder, which one is drawn: at a checkpoint's opening,
within its writing, at its renaming, between two files, between steps. Without KILLS (0) the run is
trained in one go. The number of runs is printed.
"""

from __future__ import annotations

import os
import random
import signal
import sys
import threading
import traceback
from pathlib import Path

import torch

sys.path.insert(0, str(Path(__file__).parents[1]))

from frcnn_cli.cache.store import Cache
from frcnn_cli.config import InputConfig, ModelConfig, ProposalConfig
from frcnn_cli.config.recipes import Recipe
from frcnn_cli.training.runs.folder import STATE, RunFolder
from frcnn_cli.training.runs.job import TrainJob
from frcnn_cli.training.runs.train import prepare_run, train_detector
from support.settings import train_config

CONFIG = train_config(
    iterations=6,
    optimizer="adamw",
    ema=0.9,
    rois_per_image=8,
    short_sides=(64, 96),
    long_side=160,
    checkpoint_every=2,
    validation_images=1,
    final_eval=False,
    add_gt=True,
)
TOUCHES = {"open", "os.rename", "os.remove"}
LONGEST_DELAY = 0.03
"""Seconds; about what a file of the run takes to be written."""


def train(data: Path, cache: Cache, run: str) -> None:
    """Starts the run, or goes on with it."""
    model = ModelConfig(finetune_from="fc6")
    recipe = Recipe(CONFIG, InputConfig(64, 160))
    job = TrainJob(data, "train", model, recipe, ProposalConfig())
    begun = (cache.root / "runs" / run / STATE).exists()
    folder = RunFolder.existing(cache, run) if begun else RunFolder.new(cache, run, "")
    with folder:
        device = torch.device("cpu")
        prepared = prepare_run(job, cache, device, resume=folder if begun else None)
        train_detector(prepared, folder)


def in_child(data: Path, cache: Cache, run: str, fatal: int, delay: float) -> bool:
    """Trains in a fork that ends `delay` seconds after its touch number `fatal`; 0 never does.

    Returns:
        Whether the run came to its end.
    """
    child = os.fork()
    if not child:
        touches = 0

        def count(event: str, arguments: tuple[object, ...]) -> None:
            nonlocal touches
            if event in TOUCHES and f"/{run}/" in str(arguments[0]):
                touches += 1
                if touches == fatal:
                    threading.Timer(delay, os.kill, (os.getpid(), signal.SIGKILL)).start()

        sys.addaudithook(count)
        try:
            train(data, cache, run)
        except BaseException:
            traceback.print_exc()
            os._exit(1)
        os._exit(0)
    code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    if code not in (0, -signal.SIGKILL):
        raise SystemExit(f"a child ended with {code}")
    return code == 0


def main() -> None:
    """Trains the runs RUN-1, RUN-2, … until KILLS kills have been survived."""
    data, cache, run = Path(sys.argv[1]), Cache(Path(sys.argv[2])), sys.argv[3]
    seed, kills = int(sys.argv[4]), int(sys.argv[5])
    chance = random.Random(seed)
    number, survived = 1, 0
    while True:
        # A run touches its folder some forty times; from one checkpoint to the next, some twelve.
        fatal = chance.randint(1, 30) if survived < kills else 0
        delay = chance.random() * LONGEST_DELAY
        if not in_child(data, cache, f"{run}-{number}", fatal, delay):
            survived += 1
        elif survived < kills:
            number += 1
        else:
            break
    sys.stdout.write(str(number))


if __name__ == "__main__":
    main()
