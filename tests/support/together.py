"""Trains the tiny network for some steps as one of several processes, for test_context.py.

    torchrun --nproc-per-node N together.py FOLDER

Each process writes its gradients of the first step and its weights after the last one.
"""

from __future__ import annotations

import sys
from pathlib import Path

import safetensors.torch
import torch

sys.path.insert(0, str(Path(__file__).parents[1]))

from frcnn_cli.training.distributed.context import DistributedContext, connected
from frcnn_cli.training.engine.loop import Trainer
from frcnn_cli.training.engine.report import StepReport
from support import tiny
from support.settings import train_config

CONFIG = train_config(iterations=5, images_per_batch=3, lr=0.05, ema=0.9)


def train(context: DistributedContext) -> tuple[dict[str, torch.Tensor], list[StepReport]]:
    """Returns gradients, weights and averages by name, and what was reported."""
    trainer = Trainer(tiny.model(), CONFIG, torch.device("cpu"), context=context)
    mine = context.shard(range(3))
    batches = [tiny.share(tiny.batch(step, 3), mine[0], mine[-1] + 1) for step in range(5)]
    found: dict[str, torch.Tensor] = {}
    reports: list[StepReport] = []

    for report in trainer.run(batches):
        reports.append(report)
        if report.step == 1:
            for name, parameter in trainer.model.named_parameters():
                found[f"gradient.{name}"] = parameter.grad.clone()
    assert trainer.average is not None
    found |= {f"weights.{name}": tensor for name, tensor in trainer.model.state_dict().items()}
    found |= {f"average.{name}": tensor for name, tensor in trainer.average.values.items()}
    found["losses"] = torch.tensor([[r.loss, r.classification, r.box, r.rois] for r in reports])
    return found, reports


if __name__ == "__main__":
    with connected(torch.device("cpu")) as context:
        tensors, _ = train(context)
        path = Path(sys.argv[1]) / f"{context.rank}.safetensors"
        safetensors.torch.save_file({name: t.contiguous() for name, t in tensors.items()}, path)
