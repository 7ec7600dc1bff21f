"""Training on a GPU: the CPU's numbers, without waits, and what a failed step leaves behind."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from typing import Any

import pytest
import torch
from torch import Tensor

from frcnn_cli.config import ModelConfig, TrainConfig
from frcnn_cli.errors import DataError
from frcnn_cli.model.backbones import vgg16
from frcnn_cli.model.batch import Batch
from frcnn_cli.model.build import build_model
from frcnn_cli.model.fast_rcnn import FastRCNN
from frcnn_cli.training.distributed.context import SINGLE_PROCESS
from frcnn_cli.training.engine.forward import Forward
from frcnn_cli.training.engine.loop import Trainer
from frcnn_cli.training.engine.optimizer import AveragedWeights
from frcnn_cli.training.engine.report import StepReport
from frcnn_cli.training.engine.state import last_whole_state, trainer_state
from frcnn_cli.training.engine.step import NotFiniteError, StepInputs, TrainStep
from support import tiny
from support.gpu_usage import PretendGPU, Usage
from support.settings import changed, train_config

CUDA = torch.device("cuda", 0)
CONFIG = train_config(iterations=9, lr=0.01, dropout=0.3, ema=0.9, max_grad_norm=2.0)


def never(_: int) -> bool:
    return False


def trainer_on(device: str, config: TrainConfig = CONFIG, model: FastRCNN | None = None) -> Trainer:
    model = copy.deepcopy(model or tiny.model()).to(device)
    return Trainer(model, config, torch.device(device))


def on_cpu(trainer: Trainer) -> dict[str, Tensor]:
    return {name: tensor.detach().cpu() for name, tensor in trainer_state(trainer).items()}


def pinned(batch: Batch) -> Batch:
    """Returns what a loader hands over."""
    return batch.apply(Tensor.pin_memory)


def usage_of_a_step(trainer: Trainer, gpu: PretendGPU) -> Usage:
    """Returns what a step after the first one asks of the GPU, its report left for later."""
    batches = iter([pinned(tiny.batch(step)) for step in range(4)])
    run = trainer.run(batches, rests=never)
    next(run)  # of the first step, while the second runs
    gpu.reset()
    next(run)
    return gpu.total


@pytest.mark.parametrize("optimizer", ["sgd", "adamw"])
@pytest.mark.parametrize("ohem_factor", [0, 3])
def test_it_computes_what_a_cpu_does(
    optimizer: str, ohem_factor: int, pretend_gpu: PretendGPU
) -> None:
    sampled: dict[str, Any] = {"rois_per_image": 2, "ohem_factor": 3} if ohem_factor else {}
    config = changed(CONFIG, optimizer=optimizer, **sampled)
    states, reports = [], []
    for device in ("cpu", "cuda"):
        trainer = trainer_on(device, config)
        steps = trainer.run(map(tiny.batch, range(4)), rests=never)
        reports.append([(r.step, r.loss, r.foreground, r.rois, r.lr) for r in steps])
        states.append(on_cpu(trainer))
    assert reports[0] == reports[1]
    assert states[0].keys() == states[1].keys()
    for name, tensor in states[0].items():
        torch.testing.assert_close(states[1][name], tensor, rtol=1e-5, atol=1e-7, msg=name)


@pytest.mark.parametrize("optimizer", ["sgd", "adamw"])
def test_a_step_waits_for_nothing(optimizer: str, pretend_gpu: PretendGPU) -> None:
    config = changed(CONFIG, optimizer=optimizer)
    usage = usage_of_a_step(trainer_on("cuda", config), pretend_gpu)
    assert not usage.waits, usage
    assert usage.copies["to CPU"] == 56, "seven numbers"


def test_hard_examples_wait_once(pretend_gpu: PretendGPU) -> None:
    config = changed(CONFIG, rois_per_image=2, ohem_factor=3)
    usage = usage_of_a_step(trainer_on("cuda", config), pretend_gpu)
    assert usage.waits.total() == 1, usage


def test_a_step_of_vgg16_takes_few_operations(
    pretend_gpu: PretendGPU, monkeypatch: pytest.MonkeyPatch
) -> None:
    stages = ((4, 4), (4, 4), (8, 8, 8), (8, 8, 8), (8, 8, 8))
    monkeypatch.setattr(vgg16, "_STAGES", stages)
    monkeypatch.setattr(vgg16, "_HIDDEN", 16)
    config = TrainConfig()
    trainer = trainer_on("cuda", config, build_model(ModelConfig("vgg16"), 2))
    usage = usage_of_a_step(trainer, pretend_gpu)
    assert usage.operations.total() <= 260, usage
    assert not usage.waits, usage


def test_a_step_is_reported_when_the_next_runs_unless_it_rests(pretend_gpu: PretendGPU) -> None:
    trainer = trainer_on("cuda")
    seen = [
        (report.step, trainer.step)
        for report in trainer.run(map(tiny.batch, range(5)), rests=lambda step: step == 3)
    ]
    assert seen == [(1, 2), (2, 3), (3, 3), (4, 5), (5, 5)]


def test_batches_that_end_in_an_error_leave_no_step_without_a_report(
    pretend_gpu: PretendGPU,
) -> None:
    def batches() -> Iterator[Batch]:
        yield from map(tiny.batch, range(3))
        raise DataError("the disk is gone")

    seen: list[int] = []
    trainer = trainer_on("cuda")
    with pytest.raises(DataError, match="gone"):
        seen.extend(report.step for report in trainer.run(batches(), rests=never))
    assert (seen, trainer.step) == ([1, 2, 3], 3)


@pytest.mark.parametrize(("field", "term"), [("images", "classification"), ("deltas", "box")])
@pytest.mark.parametrize("optimizer", ["sgd", "adamw"])
def test_a_step_that_is_not_finite_touches_no_weight_though_others_follow(
    field: str, term: str, optimizer: str, pretend_gpu: PretendGPU
) -> None:
    config = changed(CONFIG, optimizer=optimizer)
    batches = [tiny.batch(step) for step in range(5)]
    if field == "images":
        batches[2].images[1].fill_(torch.nan)
    else:
        batches[2].deltas.mul_(torch.nan)
    trainer = trainer_on("cuda", config)
    reports: list[StepReport] = []
    with pytest.raises(NotFiniteError, match=f"the {term} loss is nan at step 3, images") as caught:
        reports += trainer.run(batches, rests=never)
    assert caught.value.batch.image_ids == ("2-0", "2-1")
    assert caught.value.step == 3
    assert trainer.step == 2
    before = trainer_on("cuda", config)
    list(before.run(batches[:2]))
    weights = before.model.state_dict()
    assert all(
        torch.equal(tensor.cpu(), weights[name].cpu())
        for name, tensor in trainer.model.state_dict().items()
    )
    assert trainer.average is not None
    assert before.average is not None
    for name, tensor in before.average.values.items():
        assert torch.equal(trainer.average.values[name].cpu(), tensor.cpu()), name


def test_steps_that_a_gpu_cannot_end_are_not_in_the_state_of_a_lost_run(
    pretend_gpu: PretendGPU, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The GPU waits for another rank from the middle of step 3 on: nothing after it is done."""
    trainer = trainer_on("cuda")
    list(trainer.run(map(tiny.batch, range(2))))
    expected = on_cpu(trainer)
    assert trainer.steps_done() == 2
    monkeypatch.setattr(torch.cuda.Event, "query", lambda _: False)
    monkeypatch.setattr(trainer.optimizer, "step", lambda: None)
    monkeypatch.setattr(AveragedWeights, "update", lambda *_: None)
    next(trainer.run(map(tiny.batch, range(2, 4)), rests=never))
    assert (trainer.step, trainer.steps_done()) == (4, 2)
    state = last_whole_state(trainer)
    assert state.keys() == expected.keys()
    assert all(torch.equal(state[name], tensor) for name, tensor in expected.items())
    assert int(state["step"]) == 2


def test_a_state_without_a_step_has_no_moments(
    pretend_gpu: PretendGPU, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The first step makes them, and may never have set them."""
    trainer = trainer_on("cuda", changed(CONFIG, optimizer="adamw"))
    monkeypatch.setattr(torch.cuda.Event, "query", lambda _: False)
    next(trainer.run(map(tiny.batch, range(2)), rests=never))
    state = last_whole_state(trainer)
    assert int(state["step"]) == 0
    assert not [name for name in state if name.startswith("optimizer.")]


def test_a_state_that_changes_while_it_is_copied_is_copied_again(
    pretend_gpu: PretendGPU, monkeypatch: pytest.MonkeyPatch
) -> None:
    trainer = trainer_on("cuda")
    monkeypatch.setattr(torch.cuda.Event, "query", lambda _: False)
    next(trainer.run(map(tiny.batch, range(2)), rests=never))
    asked = iter([False])  # before the first copy; both steps are done after it
    monkeypatch.setattr(torch.cuda.Event, "query", lambda _: next(asked, True))
    assert int(last_whole_state(trainer)["step"]) == 2


@pytest.mark.gpu
@pytest.mark.parametrize("optimizer", ["sgd", "adamw"])
def test_a_real_gpu_is_never_waited_for(optimizer: str) -> None:
    trainer = trainer_on("cuda", changed(CONFIG, optimizer=optimizer))
    batches = [pinned(tiny.batch(step)) for step in range(4)]
    list(trainer.run(batches[:2], rests=never))
    torch.cuda.set_sync_debug_mode("error")
    try:
        list(trainer.run(batches[2:], rests=never))
    finally:
        torch.cuda.set_sync_debug_mode("default")


@pytest.mark.gpu
def test_gradients_of_a_low_forward_pass_are_exact_on_a_real_gpu() -> None:
    model = tiny.model().to(CUDA)
    step = TrainStep(Forward(model, torch.bfloat16), CONFIG, SINGLE_PROCESS)
    batch = tiny.batch().to(CUDA)
    losses = step(batch, StepInputs(0, len(batch.labels), 1.0))
    for tensor in (*losses, *(each.grad for each in model.parameters())):
        assert tensor is not None
        assert (tensor.dtype, tensor.device) == (torch.float32, CUDA)
