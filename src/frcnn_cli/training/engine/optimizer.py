"""Optimiser, learning rate and averaged weights (Fast R-CNN §2.3)."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from frcnn_cli.config import OptimizerConfig, ScheduleConfig
from frcnn_cli.model.fast_rcnn import FastRCNN


def build_optimizer(model: FastRCNN, config: OptimizerConfig) -> torch.optim.Optimizer:
    """Returns an optimiser of the trained parameters: trunk and head, weights and biases apart.

    Each group's `initial_lr` is its rate before the schedule. On a GPU a step changes nothing if
    the optimiser's attribute `found_inf`, a tensor, is 1.
    """
    groups = []
    for in_trunk in (True, False):
        for is_bias in (False, True):
            lr = config.lr
            lr *= config.backbone_lr_factor if in_trunk else 1.0
            lr *= config.bias_lr_factor if is_bias else 1.0
            parameters = [
                parameter
                for name, parameter in model.named_parameters()
                if parameter.requires_grad
                and name.startswith("backbone.trunk.") == in_trunk
                and (parameter.ndim == 1) == is_bias
            ]
            if parameters:
                decay = config.weight_decay if config.bias_decay or not is_bias else 0.0
                groups.append(
                    {"params": parameters, "lr": lr, "initial_lr": lr, "weight_decay": decay}
                )
    if config.optimizer == "adamw":
        return torch.optim.AdamW(groups, fused=True)
    # Fused on a CPU it rounds otherwise.
    on_gpu = model.class_score.weight.device.type == "cuda"
    return torch.optim.SGD(groups, momentum=config.momentum, fused=on_gpu)


def rate_factor(step: int, config: ScheduleConfig) -> float:
    """Returns the schedule's factor on every learning rate at `step`, 0 to `iterations` - 1."""
    steps = config.iterations
    if config.stage_wise:  # each stage has the whole schedule
        steps = -(-steps // 2)
        step %= steps
    done = step / steps
    if config.lr_schedule == "cosine":
        factor = 0.5 + 0.5 * math.cos(math.pi * done)
    else:
        factor = config.lr_gamma ** sum(done >= drop for drop in config.lr_steps)
    if step < config.warmup_steps:
        factor *= 0.1 + 0.9 * step / config.warmup_steps
    return factor


def set_rate(optimizer: torch.optim.Optimizer, factor: float) -> None:
    """Sets every group's learning rate to its initial one times `factor`."""
    for group in optimizer.param_groups:
        group["lr"] = group["initial_lr"] * factor


class AveragedWeights:
    """An exponential moving average of the trained parameters.

    It decays faster in the first steps, whose weights are far from the final ones.
    """

    def __init__(self, model: nn.Module, decay: float) -> None:
        self._decay = decay
        self.values: dict[str, Tensor] = {
            name: parameter.detach().clone()
            for name, parameter in model.named_parameters()
            if parameter.requires_grad
        }

    @torch.no_grad()
    def update(self, model: nn.Module, step: int, failed: Tensor | None = None) -> None:
        """Moves the average towards the model's weights.

        Args:
            model: after `step`.
            step: from 0.
            failed: 1 on a GPU, which changes nothing then, or 0; None is 0.
        """
        share = 1 - min(self._decay, (1 + step) / (10 + step))
        weights = dict(model.named_parameters())
        current: list[Tensor] = [weights[name] for name in self.values]
        averages = list(self.values.values())
        if failed is None:
            torch._foreach_lerp_(averages, current, share)
        else:
            moves = torch._foreach_sub(current, averages)
            torch._foreach_mul_(moves, share * (1 - failed))
            torch._foreach_add_(averages, moves)

    @torch.no_grad()
    def swap(self, model: nn.Module) -> None:
        """Exchanges the model's weights and the average; a second call undoes it."""
        for name, parameter in model.named_parameters():
            if name in self.values:
                kept = parameter.detach().clone()
                parameter.copy_(self.values[name])
                self.values[name] = kept
