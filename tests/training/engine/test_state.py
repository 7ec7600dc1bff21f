"""A run that is stopped and goes on ends with the bits of the run that was not."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from frcnn_cli.cache.checkpoints import read_safetensors, write_safetensors
from frcnn_cli.config import TrainConfig
from frcnn_cli.errors import CheckpointError
from frcnn_cli.training.engine.loop import Trainer
from frcnn_cli.training.engine.state import restore, trainer_state
from support import tiny
from support.settings import changed, train_config

CPU = torch.device("cpu")
ADAM = train_config(iterations=4, optimizer="adamw", lr_schedule="cosine", ema=0.9)


def trainer(config: TrainConfig) -> Trainer:
    return Trainer(tiny.model().to(memory_format=torch.channels_last), config, CPU)


MINED = train_config(iterations=4, rois_per_image=3, ohem_factor=2, label_smoothing=0.1)


@pytest.mark.parametrize(
    "config", [ADAM, train_config(iterations=4), MINED], ids=["adamw", "sgd", "mined"]
)
def test_stopped_equals_whole(config: TrainConfig, tmp_path: Path) -> None:
    """Through a file, in which every tensor is contiguous: 3×3 convolutions are channels-last."""
    whole = trainer(config)
    list(whole.run([tiny.batch()] * 4))

    stopped = trainer(config)
    list(stopped.run([tiny.batch()] * 2))
    write_safetensors(tmp_path / "state.safetensors", trainer_state(stopped))
    again = trainer(config)
    restore(again, read_safetensors(tmp_path / "state.safetensors")[0])
    assert again.step == 2
    list(again.run([tiny.batch()] * 2))

    ours, theirs = trainer_state(again), trainer_state(whole)
    assert ours.keys() == theirs.keys()
    assert all(torch.equal(ours[name], theirs[name]) for name in ours)


def test_the_state_of_another_recipe_is_refused() -> None:
    state = trainer_state(trainer(changed(ADAM, ema=0.0)))
    with pytest.raises(CheckpointError, match="does not fit"):
        restore(trainer(ADAM), state)
