"""Rates, groups and averaged weights."""

from __future__ import annotations

import pytest
import torch

from frcnn_cli.config import ModelConfig, OptimizerConfig, ScheduleConfig
from frcnn_cli.model.build import build_model
from frcnn_cli.training.engine.optimizer import AveragedWeights, build_optimizer, rate_factor
from support import tiny


def test_the_papers_schedule() -> None:
    """§2.3: lr for 30k of 40k steps, then a tenth."""
    config = ScheduleConfig()
    assert [rate_factor(step, config) for step in (0, 29_999, 30_000, 39_999)] == [1, 1, 0.1, 0.1]


def test_cosine_with_warm_up() -> None:
    config = ScheduleConfig(iterations=1000, lr_schedule="cosine", warmup_steps=100)
    assert rate_factor(0, config) == pytest.approx(0.1)
    assert rate_factor(500, config) == pytest.approx(0.5)
    assert rate_factor(999, config) < 1e-5


def test_biases_learn_twice_as_fast_and_frozen_layers_not_at_all() -> None:
    with torch.device("meta"):
        model = build_model(ModelConfig(backbone="alexnet"), 3)
    optimizer = build_optimizer(model, OptimizerConfig(lr=0.001))
    rates = {id(p): group["lr"] for group in optimizer.param_groups for p in group["params"]}
    for name, parameter in model.named_parameters():
        if not parameter.requires_grad:
            assert id(parameter) not in rates
        else:
            assert rates[id(parameter)] == pytest.approx(0.002 if name.endswith("bias") else 0.001)
    assert {group["weight_decay"] for group in optimizer.param_groups} == {0.0005}
    assert {group["momentum"] for group in optimizer.param_groups} == {0.9}


def test_biases_decay_in_the_paper_and_not_in_the_release() -> None:
    model = tiny.model()
    for config, decay in ((OptimizerConfig(), 0.0005), (OptimizerConfig(bias_decay=False), 0.0)):
        groups = build_optimizer(model, config).param_groups
        decays = {id(p): group["weight_decay"] for group in groups for p in group["params"]}
        for name, parameter in model.named_parameters():
            assert decays[id(parameter)] == (decay if name.endswith("bias") else 0.0005)


def test_averaged_weights_by_hand() -> None:
    layer = torch.nn.Linear(1, 1, bias=False)
    layer.weight.data.fill_(1.0)
    average = AveragedWeights(layer, 0.5)
    layer.weight.data.fill_(3.0)
    average.update(layer, step=1000)
    assert average.values["weight"].item() == 2.0
    average.swap(layer)
    assert layer.weight.item() == 2.0
    average.swap(layer)
    assert layer.weight.item() == 3.0
