"""Frozen layers computed apart: the same gradients in those that are trained."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from frcnn_cli.acceleration.frozen import FrozenLayers, PartlyFrozen
from frcnn_cli.config import ModelConfig
from frcnn_cli.model.build import build_model
from frcnn_cli.model.fast_rcnn import FastRCNN

ROIS = torch.tensor([[0.0, 0, 96, 64], [10, 20, 60, 60], [30, 0, 128, 96]])


def gradients(
    model: FastRCNN, network: FastRCNN | PartlyFrozen, image: Tensor
) -> dict[str, Tensor]:
    model.zero_grad(set_to_none=True)
    output = network([image], [ROIS])
    (output.class_logits.square().sum() + output.deltas.square().sum()).backward()
    return {n: p.grad.clone() for n, p in model.named_parameters() if p.grad is not None}


@pytest.mark.parametrize(
    "config",
    [ModelConfig(), ModelConfig(backbone="alexnet", fc6_rank=16, fc7_rank=16)],
    ids=["lite0", "alexnet"],
)
def test_the_same_gradients(config: ModelConfig) -> None:
    model = build_model(config, num_classes=3).eval()
    image = torch.randn(1, 3, 96, 128, generator=torch.Generator().manual_seed(0))
    network = PartlyFrozen(model, torch.float32)
    assert 0 < network.frozen.count < len(model.backbone.trunk)
    assert not network.frozen(image).requires_grad
    expected = gradients(model, model, image)
    for name, gradient in gradients(model, network, image).items():
        torch.testing.assert_close(gradient, expected.pop(name), rtol=1e-3, atol=1e-5)
    assert not expected


def test_weights_that_come_later_count() -> None:
    model = build_model(ModelConfig(), num_classes=3)
    frozen = FrozenLayers(model.backbone.trunk, torch.float32)
    other = build_model(ModelConfig(), num_classes=3, seed=1)
    model.load_state_dict(other.state_dict())
    image = torch.randn(1, 3, 64, 64)
    expected = other.backbone.trunk[: frozen.count](image)
    torch.testing.assert_close(frozen(image), expected, rtol=1e-4, atol=1e-5)


def test_nothing_frozen_and_layers_with_statistics() -> None:
    model = build_model(ModelConfig(finetune_from="all"), num_classes=3)
    assert FrozenLayers(model.backbone.trunk, torch.float32).count == 0
    trunk = nn.Sequential(nn.Conv2d(3, 4, 1), nn.BatchNorm2d(4), nn.Conv2d(4, 4, 1))
    assert FrozenLayers(trunk.requires_grad_(False), torch.float32).count == 1
