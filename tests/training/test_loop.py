"""The loop learns, stops at a loss that is not finite, and repeats itself."""

from __future__ import annotations

import dataclasses

import pytest
import torch

from frcnn_cli.config import ModelConfig, TrainConfig
from frcnn_cli.errors import TrainingError
from frcnn_cli.model.batch import Batch
from frcnn_cli.model.build import build_model
from frcnn_cli.training.loop import StepReport, Trainer

CPU = torch.device("cpu")
CONFIG = TrainConfig(
    iterations=60, optimizer="adamw", lr=0.001, lr_schedule="cosine", dropout=0.1, ema=0.5
)


def one_batch() -> Batch:
    generator = torch.Generator().manual_seed(0)
    images = torch.randn(1, 3, 96, 96, generator=generator)
    rois = torch.tensor([[0.0, 0, 40, 40], [50, 50, 96, 96], [0, 50, 40, 96]])
    labels = torch.tensor([1, 2, 0])
    deltas = torch.tensor([[0.5, 0.0, 0.3, 0.0], [0.0, -0.5, 0.0, 0.2], [0.0, 0.0, 0.0, 0.0]])
    return Batch((images,), (rois,), labels, deltas, ("one",))


def train(config: TrainConfig, steps: int) -> tuple[Trainer, list[StepReport]]:
    reports: list[StepReport] = []
    trainer = Trainer(build_model(ModelConfig(), 2), config, CPU)
    trainer.run([one_batch()] * steps, reports.append)
    return trainer, reports


def test_overfits_one_batch() -> None:
    _, reports = train(CONFIG, CONFIG.iterations)
    assert reports[0].classification > 0.9  # log 3
    assert reports[-1].classification < 0.05
    assert reports[-1].box < 0.1 * reports[0].box
    assert [report.step for report in reports] == list(range(1, 61))
    assert reports[0].foreground == 2
    assert reports[0].rois == 3


def test_same_seed_same_weights_and_the_global_state_is_left_alone() -> None:
    state = torch.random.get_rng_state()
    one, _ = train(CONFIG, 3)
    assert torch.equal(state, torch.random.get_rng_state())
    same, _ = train(CONFIG, 3)
    other, _ = train(dataclasses.replace(CONFIG, seed=1), 3)
    head = "backbone.head.fc7.weight"
    assert torch.equal(one.model.state_dict()[head], same.model.state_dict()[head])
    assert not torch.equal(one.model.state_dict()[head], other.model.state_dict()[head])


@pytest.mark.parametrize(("field", "term"), [("images", "classification"), ("deltas", "box")])
def test_a_loss_that_is_not_finite_stops_before_the_weights_are_touched(
    field: str, term: str
) -> None:
    batch = one_batch()
    nan = torch.tensor(torch.nan)
    value = (batch.images[0] * nan,) if field == "images" else batch.deltas * nan
    poisoned = batch._replace(**{field: value})
    trainer = Trainer(build_model(ModelConfig(), 2), CONFIG, CPU)
    before = trainer.model.class_score.weight.clone()
    with pytest.raises(TrainingError, match=f"the {term} loss is nan at step 1, photographs one"):
        trainer.run([poisoned], [].append)
    assert torch.equal(before, trainer.model.class_score.weight)
