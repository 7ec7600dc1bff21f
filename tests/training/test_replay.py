"""A step whose loss was not finite is kept, and shows where that began."""

from __future__ import annotations

import dataclasses
import math
from pathlib import Path

import pytest
import torch

from frcnn_cli.cache.checkpoints import CheckpointInfo
from frcnn_cli.config import InputConfig, ModelConfig
from frcnn_cli.errors import CheckpointError
from frcnn_cli.model.batch import Batch
from frcnn_cli.model.build import build_model
from frcnn_cli.model.fast_rcnn import FastRCNN
from frcnn_cli.training.distributed.context import SINGLE_PROCESS
from frcnn_cli.training.engine.dropout import set_dropout
from frcnn_cli.training.engine.forward import Forward
from frcnn_cli.training.engine.loop import Trainer
from frcnn_cli.training.engine.step import NotFiniteError, StepInputs, TrainStep
from frcnn_cli.training.replay import replay, save_replay
from support import tiny
from support.settings import changed, train_config

CPU = torch.device("cpu")
CONFIG = train_config(iterations=3)
INFO = CheckpointInfo(ModelConfig(finetune_from="fc6"), ("cat", "dog"), InputConfig())


@pytest.fixture
def model() -> FastRCNN:
    return build_model(INFO.model, 2)


def kept(model: FastRCNN, batch: Batch, folder: Path, info: CheckpointInfo = INFO) -> Path:
    """Returns the file of a step that fails."""
    trainer = Trainer(model, CONFIG, CPU)
    with pytest.raises(NotFiniteError) as caught:
        list(trainer.run([batch]))
    path = folder / "replay-1.safetensors"
    save_replay(path, caught.value, model, info, CONFIG)
    return path


def test_a_pixel_that_is_nan_is_found(tmp_path: Path) -> None:
    """Layers that are trained meet it; the ReLU6 of packed frozen ones makes a number of it."""
    info = dataclasses.replace(INFO, model=ModelConfig(finetune_from="all"))
    batch = tiny.batch()
    batch.images[1][0, 2, 5, 7] = torch.nan
    replayed = replay(kept(build_model(info.model, 2), batch, tmp_path, info), CPU)
    assert (replayed.step, replayed.term) == (1, "classification")
    first = replayed.findings[0]
    assert (first.image_id, first.tensor) == ("0-1", "image, pixels")
    assert (first.nan, first.inf, first.size) == (1, 0, 3 * 64 * 64)
    assert math.isfinite(replayed.losses["0-0"]["classification"])
    assert not math.isfinite(replayed.losses["0-1"]["classification"])


def test_a_weight_that_grew_without_end_is_found(model: FastRCNN, tmp_path: Path) -> None:
    model.backbone.head.fc7.weight.data[3, 4] = torch.inf
    replayed = replay(kept(model, tiny.batch(), tmp_path), CPU)
    first, second = replayed.findings[:2]
    assert (first.image_id, first.tensor) == ("", "backbone.head.fc7.weight, weights")
    assert first.inf == 1
    assert (second.image_id, second.tensor) == ("0-0", "backbone.head.fc7, output")


def test_a_box_target_of_another_world_is_found(model: FastRCNN, tmp_path: Path) -> None:
    batch = tiny.batch()
    batch.deltas[1, 2] = torch.inf
    replayed = replay(kept(model, batch, tmp_path), CPU)
    assert replayed.term == "box"
    assert replayed.findings[0].tensor == "proposals, box targets"


def test_a_share_of_a_step_drops_the_units_that_it_dropped(model: FastRCNN, tmp_path: Path) -> None:
    """The second process's images are slots 2 and 3: other draws, and so another loss."""
    config = changed(CONFIG, precision="float32")
    batch = tiny.batch()
    batch.deltas[1, 2] = torch.inf
    losses = []
    for slot in (0, 2):
        error = NotFiniteError(1, "box", math.inf, batch, slot)
        save_replay(tmp_path / "kept.safetensors", error, model, INFO, config)
        replayed = replay(tmp_path / "kept.safetensors", CPU)
        inputs = StepInputs(0, 6, box_weight=1.0)
        one = tiny.share(batch, 0, 1)
        passes = TrainStep(Forward(model.train()), config, SINGLE_PROCESS, first_slot=slot)
        set_dropout(model, config.optimizer.dropout)
        expected = passes(one, inputs).classification.item()
        assert replayed.losses["0-0"]["classification"] == pytest.approx(expected)
        losses.append(expected)
    assert losses[0] != losses[1]


def test_another_file_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "other.safetensors"
    path.write_bytes(b"no tensors")
    with pytest.raises(CheckpointError, match=r"other\.safetensors"):
        replay(path, CPU)
