"""Checks detection and training on a GPU against the CPU, then times both.

    python benchmarks/gpu.py [path/to/dataset] [--device cpu] [--quick] [--compile]

Without a data set, scenes are generated. First the checks, which end the script if they fail: RoI
pooling gives the CPU's bits, the bundled detector its detections in float32 (and how far those of
16 bits are), and a number of training steps its losses. Then the tables, for VGG16 with random
weights at a short side of 600, and for the default network: images per second of the detection
loop, from files, with cached regions and without, whole and with truncated SVD, against a plain
loop with torchvision's ops; steps per second of the training loop against a plain one, without
checkpoints and with as many as a run writes: each costs what it delays some steps by. `waiting` is
the part of the time in which nothing but images was waited for. --compile adds a trunk compiled by
`torch.compile`. --quick measures so little that it only shows that the script works. Everything is
written to `gpu.json` next to this file.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import torch
from gpu_checks import (
    CLASSES,
    FULL,
    NETWORKS,
    QUICK,
    SEARCH,
    Amount,
    Data,
    check_detections,
    check_pooling,
    check_training,
    require_found,
)

from frcnn_cli.cache.checkpoints import CheckpointInfo, write_safetensors
from frcnn_cli.cache.store import Cache
from frcnn_cli.config import (
    DetectConfig,
    InputConfig,
    ModelConfig,
    TrainConfig,
)
from frcnn_cli.data.images import load_image, resize
from frcnn_cli.data.scenes import generate
from frcnn_cli.deploy.baselines import BenchImage, Plain
from frcnn_cli.detection.detector import DetectionJob, LoadedDetector, on_cpu
from frcnn_cli.detection.loop import detect_images
from frcnn_cli.detection.voting import postprocess_with_votes
from frcnn_cli.model.batch import Batch
from frcnn_cli.model.build import build_model
from frcnn_cli.proposals.service import proposals_for
from frcnn_cli.runtime.device import autocast_for, pick_device
from frcnn_cli.runtime.memory import peak_memory, reset_peak
from frcnn_cli.training.batches.dataset import TrainingSet, loaders_for
from frcnn_cli.training.distributed.context import SINGLE_PROCESS
from frcnn_cli.training.engine.loop import Trainer
from frcnn_cli.training.engine.state import snapshot, trainer_state
from frcnn_cli.training.preflight.cost import checkpoint_spacing
from frcnn_cli.training.runs.background import BackgroundWriter
from training import OUTPUT as _TRAINING_OUTPUT
from training import machine, plain

OUTPUT = _TRAINING_OUTPUT.with_name("gpu.json")


def detection_rows(
    data: Data, device: torch.device, amount: Amount, *, compiled: bool
) -> Iterator[dict[str, Any]]:
    """Yields a row per network and loop."""
    for name, config in NETWORKS.items():
        info = CheckpointInfo(config, tuple(map(str, range(CLASSES))), amount.size)

        def job(cache: Cache | None, config: ModelConfig = config, info: Any = info) -> Any:
            model = build_model(config, CLASSES).to(device)
            return DetectionJob(LoadedDetector.of(model, info), cache, SEARCH, DetectConfig())

        if "SVD" not in name:
            count = max(2, amount.images // 4)
            yield row(
                name, "plain", device, plain_detection(data, config, device, amount.size, count)
            )
        yield row(name, "ours, cached regions", device, timed(job(data.cache), data, amount.images))
        if "SVD" in name:
            continue
        searched = timed(job(None), data, amount.searched)
        yield row(name, "ours, regions searched", device, searched)
        if compiled:
            one = job(data.cache)
            one.detector.model.backbone.trunk.compile()
            yield row(name, "ours, compiled", device, timed(one, data, amount.images))


Timed = tuple[int, float, float]
"""Images or steps, seconds, and seconds of waiting for images."""


def timed(job: DetectionJob, data: Data, count: int) -> Timed:
    """Returns how long the loop takes for `count` images, after it did so many once."""
    list(detect_images(data.images(min(count, 32)), job))
    reset_peak(job.detector.device)
    began = time.perf_counter()
    found = list(map(require_found, detect_images(data.images(count), job)))
    seconds = time.perf_counter() - began
    busy = sum(each.seconds["network"] + each.seconds["postprocess"] for each in found)
    return count, seconds, max(0.0, seconds - busy)


def plain_detection(
    data: Data, config: ModelConfig, device: torch.device, size: InputConfig, count: int
) -> Timed:
    """Returns the same of a loop that does one thing after another."""
    detector = Plain(build_model(config, CLASSES).to(device))
    reset_peak(device)
    waited, began = 0.0, time.perf_counter()
    for number, image in enumerate(data.images(count + 1)):
        if number == 1:  # the first one also sets things up
            waited, began = 0.0, time.perf_counter()
        start = time.perf_counter()
        assert image.path is not None
        pixels = load_image(image.path)
        boxes = proposals_for(image.path, SEARCH, data.cache, pixels)
        resized = resize(pixels, size)
        waited += time.perf_counter() - start
        given = BenchImage(pixels, boxes, resized.pixels, boxes * resized.scale)
        output = on_cpu(detector(given, lambda _: None))
        whole = pixels.shape[1], pixels.shape[0]
        postprocess_with_votes(output, torch.from_numpy(boxes), whole, DetectConfig())
    return count, time.perf_counter() - began, waited


def training_rows(data: Data, device: torch.device, amount: Amount) -> Iterator[dict[str, Any]]:
    """Yields a row per network and loop."""
    config = amount.train_config(3 * amount.steps)
    for name in ("VGG16", "default"):
        backbone = NETWORKS[name].backbone
        spec = build_model(NETWORKS[name], CLASSES).backbone.spec
        batches = TrainingSet(data.samples, data.run, config, spec)
        few = amount.train_config(amount.steps // 2 + 1)
        reset_peak(device)
        steps = list(plain(backbone, batches, few))[1:]
        sums = len(steps), sum(s for s, _ in steps), sum(w for _, w in steps)
        yield row(name, "plain", device, sums)
        model = build_model(NETWORKS[name], CLASSES).to(device)
        trainer = Trainer(model, config, device, autocast_for(device))
        own = TrainingSet(data.samples, data.run, config, spec, device=device)
        stream = own.batches(0, loaders_for(device, SINGLE_PROCESS))
        trained = partial(timed_steps, trainer, stream, amount.steps)
        trained()
        reset_peak(device)
        steps, seconds, waiting = trained()
        yield row(name, "ours", device, (steps, seconds, waiting))
        with tempfile.TemporaryDirectory() as folder:
            checkpoint = Checkpoint(Path(folder), trainer)
            delay = max(0.0, trained(checkpoint.begin)[1] - seconds)
            n = checkpoint.steps_between(config, seconds / steps)
        included = n, n * seconds / steps + delay, n * waiting / steps
        yield row(name, f"ours, a checkpoint per {n:,} steps", device, included)
        stream.close()


def timed_steps(
    trainer: Trainer, stream: Iterator[Batch], steps: int, begin: Callable[[], None] = lambda: None
) -> Timed:
    """Returns how long further steps take, after `begin` was called."""
    last = trainer.step + steps
    began = time.perf_counter()
    begin()
    reports = trainer.run(islice(stream, steps), rests=lambda step: step == last)
    waited = sum(report.waiting for report in reports)
    return steps, time.perf_counter() - began, waited


class Checkpoint:
    """A checkpoint of a trainer, written to a folder in the background."""

    def __init__(self, folder: Path, trainer: Trainer) -> None:
        self._folder = folder
        self._trainer = trainer
        self._writer = BackgroundWriter()
        self._seconds = 0.0

    def begin(self) -> None:
        """Copies the state and the weights, and begins to write them."""
        self._writer.submit(self._write, snapshot(trainer_state(self._trainer)))
        self._writer.submit(self._write, snapshot(self._trainer.model.state_dict()))

    def _write(self, tensors: dict[str, torch.Tensor]) -> None:
        began = time.thread_time()
        write_safetensors(self._folder / "checkpoint", tensors)
        self._seconds += time.thread_time() - began

    def steps_between(self, config: TrainConfig, seconds_per_step: float) -> int:
        """Returns the steps from one checkpoint to the next, once it is written."""
        self._writer.close()
        every = config.validation.checkpoint_every
        spacing = checkpoint_spacing(self._seconds)
        return every * max(1, math.ceil(spacing / (every * seconds_per_step)))


def row(network: str, loop: str, device: torch.device, measured: Timed) -> dict[str, Any]:
    """Returns a line of a table."""
    count, seconds, waiting = measured
    return {
        "network": network,
        "loop": loop,
        "per second": count / seconds,
        "waiting": waiting / seconds,
        "peak memory": peak_memory(device),
    }


def show(title: str, rows: Iterator[dict[str, Any]]) -> list[dict[str, Any]]:
    """Prints a table as its rows come, and returns them."""
    print(f"\n| {title} | loop | per second | waiting | peak memory |\n|" + "---|" * 5)
    shown = []
    for each in rows:
        memory = (each["peak memory"] or 0) / 1e9
        print(
            f"| {each['network']} | {each['loop']} | {each['per second']:.1f} "
            f"| {each['waiting']:.0%} | {memory:.1f} GB |",
            flush=True,
        )
        shown.append(each)
    return shown


def main(words: Sequence[str] | None = None) -> None:
    """Runs everything and writes it down."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("data", type=Path, nargs="?", help="a data set; else scenes are generated")
    parser.add_argument("--device", choices=("cuda", "cpu"), default="cuda")
    parser.add_argument("--quick", action="store_true", help="show that the script works")
    parser.add_argument("--compile", action="store_true", help="time torch.compile too")
    options = parser.parse_args(words)
    if options.device == "cpu":
        os.environ["CUDA_VISIBLE_DEVICES"] = ""  # loops that take what there is take the CPU
    device = pick_device(int(options.device == "cuda"))
    amount = QUICK if options.quick else FULL
    result: dict[str, Any] = {"machine": machine(), "checks": {}}
    print(json.dumps(result["machine"]))
    with tempfile.TemporaryDirectory() as folder:
        if options.data is None:
            generate(Path(folder) / "scenes", train=amount.images, test=0)
        data = Data(options.data or Path(folder) / "scenes", Cache(Path(folder)), amount)
        regions = np.mean([len(data.run.proposals_for(each.path)) for each in data.samples])
        print(f"{len(data.samples)} images, {regions:,.0f} RoIs each\n")
        for name, check in (
            ("pooling", lambda: check_pooling(device, amount.rois)),
            ("detections", lambda: check_detections(data, device, min(8, amount.images))),
            ("training", lambda: check_training(data, device, amount)),
        ):
            result["checks"][name] = check()
            print(f"{name}: {result['checks'][name]}", flush=True)
        rows = detection_rows(data, device, amount, compiled=options.compile)
        result["detection"] = show("images", rows)
        result["training"] = show("steps", training_rows(data, device, amount))
    if not options.quick:
        OUTPUT.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
