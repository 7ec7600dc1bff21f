"""The cost of detection on this machine, step by step, against R-CNN and the plain pipeline."""

from __future__ import annotations

import copy
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from statistics import mean
from typing import TypeVar

import numpy as np
import numpy.typing as npt
import torch

from frcnn_cli.acceleration.inference import OnStage
from frcnn_cli.acceleration.onnx_inference import OnnxInference
from frcnn_cli.cache.checkpoints import CheckpointInfo
from frcnn_cli.config import DetectConfig, ProposalConfig, SpeedConfig
from frcnn_cli.data.images import Resized, load_image, resize
from frcnn_cli.deploy.baselines import BenchImage, Plain
from frcnn_cli.deploy.benchmark_runner import BenchConfig, BenchmarkRunner, Row, Step, Variant
from frcnn_cli.detection.detector import LoadedDetector
from frcnn_cli.detection.views import View
from frcnn_cli.model.build import build_model
from frcnn_cli.model.fast_rcnn import FastRCNN, RegionOutput
from frcnn_cli.model.low_rank import useful_rank
from frcnn_cli.proposals.search import search
from frcnn_cli.runtime.device import compute_dtype
from frcnn_cli.runtime.memory import translate_out_of_memory
from frcnn_cli.runtime.progress import Progress, silent, tracked

STEP = "Measuring"
ResultT = TypeVar("ResultT")


@dataclass(frozen=True)
class Bench:
    """The result.

    Attributes:
        rcnn: R-CNN, scaled from a subset of the regions.
        plain: the plain pipeline.
        ours: with one step more each.
        peaks: measured FLOP/s of the matrix product, by type.
        regions: mean number of regions per image.
        rcnn_regions: of these, on which R-CNN was measured.
        precision: of the steps from the switch to 16 bits on, such as "bf16".
        ranks: of fc6 and fc7 in the step with truncated SVD; 0 is whole.
        sizes: width and height of each image as the network sees it.
    """

    rcnn: Row
    plain: Row
    ours: tuple[Row, ...]
    peaks: Mapping[str, float]
    regions: float
    rcnn_regions: int
    precision: str
    ranks: tuple[int, int]
    sizes: tuple[tuple[int, int], ...]


@translate_out_of_memory("lower --short-side or --rois, or use --gpus 0")
def measure(
    paths: Sequence[Path],
    model: FastRCNN,
    info: CheckpointInfo,
    *,
    proposals: ProposalConfig,
    detect: DetectConfig,
    config: BenchConfig,
    onnx: Path | None = None,
    progress: Progress = silent,
) -> Bench:
    """Measures every variant on the same images and regions, one after another.

    Nothing is read from a cache. The plain pipeline and R-CNN search with OpenCV, ours as
    `proposals` says; all are then given the regions that ours finds.

    Args:
        paths: images.
        model: the network, float32, on its device.
        info: what it is, and the size of the images that it takes.
        proposals: how regions are searched.
        detect: thresholds.
        config: how much is measured.
        onnx: the same network as a file of `frcnn export`: each runtime that is installed is
            measured too.
        progress: called after each variant.

    Raises:
        FrcnnError: an image cannot be read or searched, or `onnx` cannot be run.
    """
    if onnx is not None:
        OnnxInference(onnx)  # to fail before the work
    images, before = _before_network(paths, proposals, info, config)
    searched = {**before, "proposals": _opencv_seconds(images, proposals, config.repeat)}
    runner = BenchmarkRunner(images, model, info, detect, config)
    steps = [*_our_steps(model, info, config), *_runtimes(onnx)]
    runs = [
        partial(runner.run, Step("plain", lambda: Plain(copy.deepcopy(model))), searched),
        partial(runner.run_rcnn, searched),
        *(partial(runner.run, step, before) for step in steps),
    ]
    progress(STEP, 0, len(runs))
    plain, rcnn, *ours = [run() for run in tracked(runs, STEP, progress)]
    return Bench(
        rcnn,
        plain,
        tuple(ours),
        {str(dtype).removeprefix("torch."): peak for dtype, peak in runner.peaks.items()},
        mean(len(each.boxes) for each in images),
        min(config.rcnn_regions, max(len(each.boxes) for each in images)),
        short_name(compute_dtype("auto", model.class_score.weight.device)),
        _useful_ranks(model, config),
        tuple((each.resized.shape[1], each.resized.shape[0]) for each in images),
    )


def short_name(dtype: torch.dtype) -> str:
    """Returns "bf16" for bfloat16."""
    return str(dtype).removeprefix("torch.").replace("bfloat", "bf").replace("float", "f")


def _our_steps(model: FastRCNN, info: CheckpointInfo, config: BenchConfig) -> Iterator[Step]:
    device = model.class_score.weight.device
    fast = compute_dtype("auto", device)
    exact, auto = SpeedConfig("float32"), SpeedConfig()

    def inference(speed: SpeedConfig) -> Callable[[], Variant]:
        return lambda: _Ours(copy.deepcopy(model), info, speed)

    yield Step("tables", inference(replace(exact, distinct_rois=False, fused=False)))
    if device.type == "cpu":
        yield Step("+ dedup", inference(replace(exact, fused=False)))
        yield Step("+ fused", inference(exact))
    if fast != torch.float32:
        yield Step(f"+ {short_name(fast)}", inference(auto), fast)
    ranks = _useful_ranks(model, config)
    if any(ranks):
        small = replace(info.model, fc6_rank=ranks[0], fc7_rank=ranks[1])

        def build() -> Variant:
            return _Ours(build_model(small, model.num_classes).to(device), info, auto)

        yield Step("+ SVD", build, fast, ranks)


def _runtimes(onnx: Path | None) -> Iterator[Step]:
    if onnx is not None:
        for runtime in filter(find_spec, ("onnxruntime", "openvino")):
            yield Step(runtime, partial(_Exported, onnx, runtime))


def _useful_ranks(model: FastRCNN, config: BenchConfig) -> tuple[int, int]:
    """Returns the ranks that save arithmetic; 0 where a layer is small, compressed or missing."""
    layers = dict(model.backbone.head.named_children())
    ranks = []
    for name, rank in zip(("fc6", "fc7"), config.ranks, strict=True):
        layer = layers.get(name)
        ranks.append(useful_rank(layer, rank) if isinstance(layer, torch.nn.Linear) else 0)
    return ranks[0], ranks[1]


class _Ours:
    """The network that `frcnn detect` runs."""

    def __init__(self, model: FastRCNN, info: CheckpointInfo, speed: SpeedConfig) -> None:
        self._detector = LoadedDetector.of(model, info, speed)

    def __call__(self, image: BenchImage, on_stage: OnStage) -> RegionOutput:
        places = np.arange(len(image.rois))
        view = View(image.resized, image.rois, places)
        return self._detector.forward([[view]], on_stage)


class _Exported:
    """The exported network in another runtime, which does not time its stages separately."""

    def __init__(self, path: Path, runtime: str) -> None:
        self._network = OnnxInference(path, runtime)

    def __call__(self, image: BenchImage, on_stage: OnStage) -> RegionOutput:
        pixels = torch.from_numpy(image.resized).permute(2, 0, 1)[None].float()
        on_stage("trunk")
        on_stage("pooling")
        return self._network([pixels], [torch.from_numpy(image.rois)], on_stage)


def _before_network(
    paths: Sequence[Path], proposals: ProposalConfig, info: CheckpointInfo, config: BenchConfig
) -> tuple[list[BenchImage], dict[str, float]]:
    """Returns the images with their regions, and the mean seconds of both stages."""
    search(load_image(paths[0]), proposals)  # compiles, or loads, what it needs
    images, decode, searching = [], [], []
    for path in paths:
        seconds, (image, resized) = _fastest(config.repeat, partial(_read, path, info))
        decode.append(seconds)
        seconds, found = _fastest(config.repeat, partial(search, image, proposals))
        searching.append(seconds)
        boxes = found[: config.rois]
        images.append(BenchImage(image, boxes, resized.pixels, boxes * resized.scale))
    return images, {"decode": mean(decode), "proposals": mean(searching)}


def _read(path: Path, info: CheckpointInfo) -> tuple[npt.NDArray[np.uint8], Resized]:
    image = load_image(path)
    return image, resize(image, info.input)


def _opencv_seconds(images: Sequence[BenchImage], proposals: ProposalConfig, repeat: int) -> float:
    theirs = replace(proposals, engine="opencv")
    return mean(_fastest(repeat, partial(search, each.pixels, theirs))[0] for each in images)


def _fastest(repeat: int, work: Callable[[], ResultT]) -> tuple[float, ResultT]:
    """Returns the seconds of the fastest run, and what the last one returned."""
    seconds = []
    for _ in range(repeat):
        began = time.perf_counter()
        result = work()
        seconds.append(time.perf_counter() - began)
    return min(seconds), result
