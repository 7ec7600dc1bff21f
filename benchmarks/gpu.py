"""Checks detection and training on a GPU against the CPU, then times both.

    python benchmarks/gpu.py [path/to/dataset] [--device cpu] [--quick] [--compile]

Without a data set, scenes are generated. First the checks, which end the script if they fail: RoI
pooling gives the CPU's bits, the bundled detector its detections in float32 (and how far those of
16 bits are), and a number of training steps its losses. Then the tables, for VGG16 with random
weights at a short side of 600, and for the default network: images per second of the detection
loop, from files, with cached regions and without, whole and with truncated SVD, against a plain
loop with torchvision's ops; steps per second of the training loop against a plain one. `waiting` is
the part of the time in which nothing but images was waited for. --compile adds a trunk compiled by
`torch.compile`. --quick measures so little that it only shows that the script works. Everything is
written to `gpu.json` next to this file.
"""

from __future__ import annotations

import argparse
import json
import os
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from frcnn_cli.acceleration.range_maxima import StackedMaxima
from frcnn_cli.cache.checkpoints import CheckpointInfo
from frcnn_cli.cache.store import Cache
from frcnn_cli.config import (
    DetectConfig,
    InputConfig,
    ModelConfig,
    ProposalConfig,
    SpeedConfig,
    TrainConfig,
    override,
)
from frcnn_cli.data.images import load_image, resize
from frcnn_cli.data.open import open_dataset, read_split
from frcnn_cli.data.scenes import generate
from frcnn_cli.deploy.baselines import BenchImage, Plain
from frcnn_cli.detection.detector import BUNDLED, DetectionJob, LoadedDetector, on_cpu
from frcnn_cli.detection.inputs import ImageInput
from frcnn_cli.detection.loop import detect_images
from frcnn_cli.detection.voting import postprocess_with_votes
from frcnn_cli.model.build import build_model
from frcnn_cli.model.roi_pool import cell_corners, roi_pool
from frcnn_cli.proposals.service import ensure_proposals, proposals_for
from frcnn_cli.records import DetectedImage, Sample
from frcnn_cli.runtime.device import autocast_for, pick_device
from frcnn_cli.runtime.memory import peak_memory, reset_peak
from frcnn_cli.training.batches.dataset import TrainingSet, loaders_for
from frcnn_cli.training.distributed.context import SINGLE_PROCESS
from frcnn_cli.training.engine.loop import Trainer
from training import OUTPUT as _TRAINING_OUTPUT
from training import machine, plain

OUTPUT = _TRAINING_OUTPUT.with_name("gpu.json")
CLASSES = 20
SEARCH = ProposalConfig(preset="quality", max_proposals=2000)
NETWORKS = {
    "VGG16": ModelConfig("vgg16"),
    "VGG16, SVD": ModelConfig("vgg16", fc6_rank=1024, fc7_rank=256),
    "default": ModelConfig(),
}
MOST_SCORE, MOST_PIXELS, MOST_LOSS = 1e-3, 0.1, 0.02
"""How far float32 on a GPU may be from the CPU: sums have another order."""
_CPU = torch.device("cpu")


@dataclass(frozen=True)
class Amount:
    """How much is measured."""

    images: int
    searched: int
    steps: int
    compared_steps: int
    rois: int
    size: InputConfig

    def train_config(self, steps: int, **settings: Any) -> TrainConfig:
        """Returns the paper's recipe at this size."""
        sides = {"short_sides": (self.size.short_side,), "long_side": self.size.long_side}
        return override(TrainConfig(), {"iterations": steps, **sides, **settings})


FULL = Amount(96, 32, 60, 20, 2000, InputConfig())
QUICK = Amount(2, 2, 2, 2, 60, InputConfig(96, 160))


class Data:
    """The images, with their proposals in a cache."""

    def __init__(self, folder: Path, cache: Cache, amount: Amount) -> None:
        samples, _ = read_split(open_dataset(folder, cache), "trainval")
        self.samples: list[Sample] = samples[: amount.images]
        self.cache = cache
        self.run = ensure_proposals([each.path for each in self.samples], SEARCH, cache)

    def images(self, count: int) -> list[ImageInput]:
        """Returns `count` images, again from the first where there are fewer."""
        return [ImageInput(self.samples[i % len(self.samples)].path) for i in range(count)]


def check_pooling(device: torch.device, rois: int) -> str:
    """Raises if RoI pooling on the device differs from the CPU's in a bit."""
    generator = torch.Generator().manual_seed(0)
    corners = torch.rand(rois, 2, 2, generator=generator) * torch.tensor([900.0, 600.0])
    boxes = corners.sort(dim=1).values.flatten(1) - 20  # some leave the map
    cells, images = cell_corners(boxes, 1 / 16), torch.zeros(rois, dtype=torch.long)
    for dtype in (torch.float32, torch.bfloat16, torch.float16):
        features = torch.randn(1, 64, 38, 57, generator=generator).to(dtype)
        expected = roi_pool(features, torch.nn.functional.pad(boxes, (1, 0)), 7, 1 / 16)
        there = [each.to(device) for each in (features, images, cells)]
        tables = StackedMaxima(*there, 7).pooled(0, rois).permute(0, 3, 1, 2)
        kernel = torch.ops.frcnn.roi_pool(*there, 7)[0]
        for name, found in (("detection", tables), ("training", kernel)):
            if not torch.equal(found.cpu(), expected):
                raise SystemExit(f"RoI pooling of {name} in {dtype} differs from the CPU's")
    return f"{rois} RoIs in three types: equal bits"


def check_detections(data: Data, device: torch.device, count: int) -> str:
    """Raises if the bundled detector finds something else in float32; returns the differences."""

    def find(where: torch.device, speed: SpeedConfig) -> list[DetectedImage]:
        detector = LoadedDetector.load(BUNDLED, where, speed)
        job = DetectionJob(detector, data.cache, SEARCH, DetectConfig())
        return [each for each in detect_images(data.images(count), job, workers=0) if _is(each)]

    def differences(speed: SpeedConfig) -> tuple[float, float, int]:
        scores, pixels, lost = 0.0, 0.0, 0
        for one, other in zip(expected, find(device, speed), strict=True):
            mine, its = one.detections, other.detections
            for box, score, label in zip(mine.boxes, mine.scores, mine.labels, strict=True):
                near = np.abs(its.boxes - box).max(axis=1, initial=0.0)
                near[its.labels != label] = np.inf
                if not len(near) or near.min() > 10:
                    lost += 1  # a score at the threshold, or another order of NMS
                    continue
                best = int(near.argmin())
                scores = max(scores, abs(float(its.scores[best] - score)))
                pixels = max(pixels, float(near[best]))
        return scores, pixels, lost

    expected = find(_CPU, SpeedConfig("float32"))
    exact, short = differences(SpeedConfig("float32")), differences(SpeedConfig())
    if exact[0] > MOST_SCORE or exact[1] > MOST_PIXELS:
        raise SystemExit(f"float32 detections differ by {exact[0]} in score, {exact[1]} pixels")
    return "; ".join(
        f"{name}: scores within {scores:.1e}, edges within {pixels:.3f} pixels, {lost} unmatched"
        for name, (scores, pixels, lost) in (("float32", exact), ("16 bits", short))
    )


def check_training(data: Data, device: torch.device, amount: Amount) -> str:
    """Raises if the losses of the first steps differ; returns by how much."""
    steps = amount.compared_steps
    config = amount.train_config(steps, precision="float32")
    losses = []
    for where in (_CPU, device):
        model = build_model(ModelConfig(), CLASSES).to(where)
        spec = model.backbone.spec
        batches = TrainingSet(data.samples, data.run, config, spec, device=where).batches(0, 0)
        losses.append([each.loss for each in Trainer(model, config, where).run(batches)])
    pairs = zip(*losses, strict=True)
    largest = max(abs(one - other) / abs(one) for one, other in pairs)
    if largest > MOST_LOSS:
        raise SystemExit(f"the losses of {steps} steps differ by up to {largest:.1%}: {losses}")
    return f"{steps} steps: losses within {largest:.1e} of each other"


def _is(result: object) -> bool:
    if not isinstance(result, DetectedImage):
        raise SystemExit(str(result))
    return True


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
    found = list(filter(_is, detect_images(data.images(count), job)))
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
        postprocess_with_votes(
            output, torch.from_numpy(boxes), detector.model, whole, DetectConfig()
        )
    return count, time.perf_counter() - began, waited


def training_rows(data: Data, device: torch.device, amount: Amount) -> Iterator[dict[str, Any]]:
    """Yields a row per network and loop."""
    config = amount.train_config(2 * amount.steps)
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
        reports = trainer.run(stream, rests=lambda _: False)
        for _ in range(amount.steps):
            next(reports)
        reset_peak(device)
        began = time.perf_counter()
        waiting = sum(next(reports).waiting for _ in range(amount.steps - 1))
        yield row(name, "ours", device, (amount.steps - 1, time.perf_counter() - began, waiting))
        stream.close()


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
