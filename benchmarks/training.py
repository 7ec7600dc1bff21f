"""Times a training step: a plain loop against ours.

    python benchmarks/training.py path/to/dataset [--steps 5] [--compile]

Both use 2 images and 128 RoIs per step at a short side of 600. The plain loop has torchvision's
`roi_pool`, float32, contiguous tensors, and loads each batch when it needs it. Weights are random.
The loops alternate, one step each; the first round is not counted. --compile adds our loop with
layers compiled by `torch.compile`, and warm-up rounds. The table is printed, and written with all
figures to `training.json` next to this file.
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from statistics import median
from typing import Any

import torch
import torch.nn.functional as F
import torchvision
from processor import processor
from torchvision.ops import roi_pool

from frcnn_cli import __version__
from frcnn_cli.cache.store import Cache
from frcnn_cli.config import (
    BackboneName,
    ModelConfig,
    Precision,
    ProposalConfig,
    ScheduleConfig,
    TrainConfig,
)
from frcnn_cli.data.open import open_dataset, read_split
from frcnn_cli.model.build import build_model
from frcnn_cli.proposals.service import ensure_proposals
from frcnn_cli.runtime.device import autocast_for, pick_device
from frcnn_cli.training.batches.dataset import TrainingSet, loaders_for
from frcnn_cli.training.distributed.context import SINGLE_PROCESS
from frcnn_cli.training.engine.loop import Trainer
from frcnn_cli.training.engine.optimizer import build_optimizer

OUTPUT = Path(__file__).with_suffix(".json")
IMAGES = 12
WARM_UP = {False: 1, True: 6}
"""Rounds that are not counted, without compiling and with: each size of image may compile."""
CLASSES = 20

Steps = Iterator[tuple[float, float]]
"""Seconds of a step, and of these spent waiting for images."""


def plain(backbone: BackboneName, batches: TrainingSet, config: TrainConfig) -> Steps:
    """Trains as one would write it down first."""
    device = pick_device(None)
    model = build_model(ModelConfig(backbone), CLASSES).to(device)
    model = model.to(memory_format=torch.contiguous_format).train()
    spec = model.backbone.spec
    optimizer = build_optimizer(model, config.optimizer)
    for step in range(config.schedule.iterations):
        began = time.perf_counter()
        batch = batches[step].to(device)
        loaded = time.perf_counter()
        pooled = []
        for image, rois in zip(batch.images, batch.rois, strict=True):
            features = model.backbone.trunk(image)
            pooled.append(roi_pool(features, [rois], spec.pool_size, 1 / spec.stride))
        output = model.regions(torch.cat(pooled))
        rois = torch.nonzero(batch.labels > 0).flatten()
        deltas = output.deltas[rois, batch.labels[rois]]
        box = F.smooth_l1_loss(deltas, batch.deltas[rois], reduction="sum") / len(batch.labels)
        loss = F.cross_entropy(output.class_logits, batch.labels) + box
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        finish(device)
        yield time.perf_counter() - began, loaded - began


def finish(device: torch.device) -> None:
    """Waits for what a GPU still has to do."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)


def ours(
    backbone: BackboneName,
    batches: TrainingSet,
    config: TrainConfig,
    precision: Precision,
    *,
    compiled: bool = False,
) -> Steps:
    """Trains as `frcnn train` does, a step at a time, or else with its layers compiled."""
    device = pick_device(None)
    model = build_model(ModelConfig(backbone), CLASSES).to(device)
    if compiled:
        for layer in (*model.backbone.trunk, model.backbone.head):
            layer.compile(dynamic=True)
    trainer = Trainer(model, config, device, autocast_for(device, precision))
    source = batches.batches(0, loaders_for(device, SINGLE_PROCESS))
    for _ in range(config.schedule.iterations):
        began = time.perf_counter()
        batch = next(source)
        waited = time.perf_counter() - began
        next(trainer.run([batch]))
        finish(device)
        yield time.perf_counter() - began, waited


def compare(
    backbone: BackboneName, data: Path, cache: Cache, steps: int, *, compiled: bool
) -> list[dict[str, Any]]:
    """Returns a row for each loop."""
    rounds = WARM_UP[compiled] + steps
    config = TrainConfig(schedule=ScheduleConfig(iterations=rounds))
    samples = read_split(open_dataset(data, cache), "trainval")[0][:IMAGES]
    proposals = ensure_proposals([s.path for s in samples], ProposalConfig(), cache)
    spec = build_model(ModelConfig(backbone), CLASSES).backbone.spec
    batches = TrainingSet(samples, proposals, config, spec)
    sent = TrainingSet(samples, proposals, config, spec, device=pick_device(None))
    loops = {
        "plain": plain(backbone, batches, config),
        "ours, float32": ours(backbone, sent, config, "float32"),
        "ours, bfloat16": ours(backbone, sent, config, "bfloat16"),
    }
    if compiled:
        name = "ours, bfloat16, compiled"
        loops[name] = ours(backbone, sent, config, "bfloat16", compiled=True)
    taken: dict[str, list[tuple[float, float]]] = {name: [] for name in loops}
    for _ in range(rounds):
        for name, loop in loops.items():
            taken[name].append(next(loop))
    rows = []
    for name, times in taken.items():
        counted = times[WARM_UP[compiled] :]
        rows.append(
            {
                "backbone": backbone,
                "loop": name,
                "seconds": median(seconds for seconds, _ in counted),
                "waiting": sum(w for _, w in counted) / sum(s for s, _ in counted),
                "each": counted,
            }
        )
    for row in rows:
        row["times"] = rows[0]["seconds"] / row["seconds"]
    return rows


def machine() -> dict[str, str]:
    """Returns the device and the versions that the figures belong to."""
    gpu = torch.cuda.get_device_name() if torch.cuda.is_available() else "none"
    return {
        "cpu": f"{processor()}, {torch.get_num_threads()} threads",
        "gpu": gpu,
        "torch": torch.__version__,
        "torchvision": torchvision.__version__,
        "frcnn": __version__,
    }


def main() -> None:
    """Runs everything and writes it down."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("data", type=Path, help="a data set")
    parser.add_argument("--steps", type=int, default=5, help="steps that count, of each loop")
    parser.add_argument("--compile", action="store_true", help="time torch.compile too")
    parser.add_argument("--backbones", nargs="+", default=["efficientnet_lite0", "vgg16"])
    parser.add_argument("--cache-dir", type=Path, help="where regions are; else they are searched")
    options = parser.parse_args()
    rows = []
    print("| backbone | loop | s per step | times | waiting |\n|" + "---|" * 5)
    with tempfile.TemporaryDirectory() as folder:
        cache = Cache(options.cache_dir or Path(folder))
        for backbone in options.backbones:
            found = compare(backbone, options.data, cache, options.steps, compiled=options.compile)
            rows += found
            for row in found:
                print(
                    f"| {backbone} | {row['loop']} | {row['seconds']:.2f} | {row['times']:.2f} "
                    f"| {row['waiting']:.1%} |",
                    flush=True,
                )
    OUTPUT.write_text(json.dumps({"machine": machine(), "rows": rows}, indent=1) + "\n")


if __name__ == "__main__":
    main()
