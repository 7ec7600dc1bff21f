"""Time, memory and disk of a run: numbers worked by hand, and what a run then takes."""

from __future__ import annotations

import itertools
from pathlib import Path

import pytest
import torch

from frcnn_cli.config import OptimizerConfig
from frcnn_cli.errors import CacheError
from frcnn_cli.training.batches import dataset
from frcnn_cli.training.engine.loop import Trainer
from frcnn_cli.training.engine.state import trainer_state
from frcnn_cli.training.preflight import cost as module
from frcnn_cli.training.preflight.cost import (
    Cost,
    StepTimes,
    checkpoint_spacing,
    count_checkpoints,
    estimate,
    require_disk,
)
from support import tiny
from support.settings import train_config

CPU, CUDA = torch.device("cpu"), torch.device("cuda")


class Clock:
    """A clock that advances by `tick` seconds each time that it is read."""

    def __init__(self, tick: float) -> None:
        self.perf_counter = self.thread_time = itertools.count(0.0, tick).__next__


@pytest.mark.parametrize(
    ("device", "loading", "processes", "seconds"),
    [
        (CPU, 3.0, 1, 2.5 + 3 / 4),  # the loading thread takes one of four cores
        (CPU, 3.0, 2, 2.5 + 6 / 4),  # each process loads
        (CPU, 8.0, 1, 8.0),  # a thread cannot load faster
        (CUDA, 8.0, 1, 2.5),  # four processes load in 2 seconds, during the step
        (CUDA, 8.0, 2, 4.0),  # two processes per GPU
        (CUDA, 8.0, 8, 8.0),
    ],
)
def test_loading_during_a_step_counts_once(
    device: torch.device,
    loading: float,
    processes: int,
    seconds: float,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for each in (module, dataset):
        monkeypatch.setattr(each, "all_cores", lambda: 4)
    times = StepTimes(loading, passes=2.0, update=0.5, copying=0.25, writing=6.0)
    assert times.of_a_step(device, processes) == seconds
    assert times.of_a_checkpoint(device) == (0.25 + 6 / 4 if device == CPU else 0.25)


@pytest.mark.parametrize(
    ("seconds", "writing", "count"),
    [
        (1.0, 1.0, 5),  # after steps 100, 200, 300, 400 and 450
        (1.0, 6.0, 3),  # 120 s apart: after 200, 400 and 450
        (0.1, 6.0, 1),  # after the last step
        (2.0, 6.0, 5),
    ],
)
def test_checkpoints_that_take_long_are_spaced(seconds: float, writing: float, count: int) -> None:
    config = train_config(iterations=450, checkpoint_every=100)
    assert count_checkpoints(config, seconds, writing) == count
    assert checkpoint_spacing(writing) == pytest.approx(120 if writing == 6 else 0)


def test_a_run_takes_its_steps_and_its_checkpoints() -> None:
    assert Cost(0.5, 100, 5, 10, 5, 10, 4, 2.5).seconds == 60


@pytest.mark.parametrize("optimizer", ["sgd", "adamw"])
def test_measuring_leaves_the_trainer_as_it_was(optimizer: str, tmp_path: Path) -> None:
    config = train_config(optimizer=optimizer, ema=0.9, max_grad_norm=1.0, dropout=0.5)
    states = []
    for measured in (False, True):
        trainer = Trainer(tiny.model(), config, CPU)
        if measured:
            estimate(trainer, tiny.batch, tmp_path)
            assert not trainer.optimizer.state
            assert all(each.grad is None for each in trainer.model.parameters())
        list(trainer.run(map(tiny.batch, range(2))))
        states.append(trainer_state(trainer))
    for name, tensor in states[0].items():
        assert torch.equal(states[1][name], tensor), name


def test_the_optimiser_and_the_checkpoints_are_counted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Trainer, "measure", lambda *_: 20.0)
    monkeypatch.setattr(Trainer, "measure_update", lambda *_: 5.0)
    monkeypatch.setattr(module, "all_cores", lambda: 4)
    monkeypatch.setattr(module, "time", Clock(0.5))
    trainer = Trainer(tiny.model(), train_config(iterations=7, checkpoint_every=3), CPU)
    cost = estimate(trainer, tiny.batch, tmp_path)
    assert cost.seconds_per_step == 20 + 5 + 0.5 / 4  # loading takes one of four cores
    assert cost.checkpoints == 3
    assert cost.seconds == 7 * cost.seconds_per_step + 3 * cost.seconds_per_checkpoint


def test_checkpoints_that_do_not_fit_on_the_disk(small_disk: Path) -> None:
    config = OptimizerConfig()
    require_disk(tiny.model(), config, small_disk / "not" / "there")
    model = tiny.model()
    model.backbone.head.fc8 = torch.nn.Linear(400, 400)  # 0.6 MB: six times that are needed
    with pytest.raises(CacheError, match=r"the checkpoints need 4 MB, and the disk has 1 MB left"):
        require_disk(model, config, small_disk)


@pytest.mark.parametrize("optimizer", ["sgd", "adamw"])
def test_the_disk_that_a_run_takes_is_known_before_its_first_step(
    optimizer: str, tmp_path: Path
) -> None:
    config = train_config(iterations=7, optimizer=optimizer, ema=0.9, short_sides=(64,))
    trainer = Trainer(tiny.model(), config, CPU)
    cost = estimate(trainer, tiny.batch, tmp_path / "not" / "there")
    list(trainer.run([tiny.batch()]))
    state = sum(tensor.nbytes for tensor in trainer_state(trainer).values())
    weights = sum(tensor.nbytes for tensor in trainer.model.state_dict().values())
    assert cost.disk == pytest.approx(2 * state + 2 * weights, abs=500)  # counters of AdamW
    assert cost.seconds > 7 * cost.seconds_per_step > 0
    assert cost.memory > 0
    shared = estimate(trainer, tiny.batch, tmp_path, processes=1000)
    assert shared.memory > 500 * cost.memory
