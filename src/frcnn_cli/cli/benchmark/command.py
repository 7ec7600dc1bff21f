"""`frcnn bench`: the speed of detection on this machine, step by step."""

from __future__ import annotations

import platform
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from frcnn_cli.cli import options
from frcnn_cli.cli.options import argument, option
from frcnn_cli.config import BackboneName, DetectConfig, InputConfig, Preset, ProposalConfig
from frcnn_cli.errors import ConfigError

if TYPE_CHECKING:
    from frcnn_cli.cache.checkpoints import CheckpointInfo
    from frcnn_cli.cache.store import Cache
    from frcnn_cli.deploy.benchmark import Bench
    from frcnn_cli.deploy.benchmark_runner import Row
    from frcnn_cli.model.fast_rcnn import FastRCNN

_CLASSES = 20
"""Of a network with random weights: as VOC has."""

EXAMPLES = """[bold]Examples[/]

[cyan]frcnn bench photo.jpg[/]  [dim]the detector that frcnn detect would use[/]

[cyan]frcnn bench photo.jpg --backbone vgg16 --preset quality[/]  [dim]the paper's network L[/]
"""


@options.command()
def bench(
    context: options.CommandContext,
    path: Annotated[
        Path | None, argument("PATH", default="a portrait that comes with matplotlib")
    ] = None,
    *,
    backbone: Annotated[BackboneName | None, option("NAME")] = None,
    checkpoint: options.Checkpoint = None,
    run: options.Run = None,
    rois: Annotated[int, option("N", min=1)] = 2000,
    short_side: Annotated[
        int | None, option("PX", default="the detector's; 600 with --backbone", min=32)
    ] = None,
    preset: Annotated[Preset | None, options.flag(ProposalConfig, "preset")] = None,
    repeat: Annotated[int, option("N", min=1)] = 3,
    onnx: Annotated[Path | None, option("FILE.onnx")] = None,
    out: Annotated[Path | None, option("FILE")] = None,
    gpus: options.Gpus = None,
) -> None:
    """Compare the speed of detection with R-CNN and the plain pipeline, step by step.

    Args:
        path: An image, or a folder of images.
        backbone: Measure this network with random weights.
        rois: Max proposals per image.
        short_side: Short side of the network's input image.
        repeat: Number of runs; the fastest counts.
        onnx: Also measure this export of the detector in onnxruntime and OpenVINO.
        out: Write the figures as JSON.
    """
    from frcnn_cli.cli.benchmark.table import bench_table
    from frcnn_cli.data.image_files import find_images
    from frcnn_cli.deploy.benchmark import measure
    from frcnn_cli.deploy.benchmark_runner import BenchConfig
    from frcnn_cli.files import write_json
    from frcnn_cli.plotting.chips import matplotlib_file
    from frcnn_cli.runtime.device import describe, pick_device

    if backbone is not None and (checkpoint or run) is not None:
        raise ConfigError(
            "--backbone has random weights, a checkpoint its own", remedy="use one of the two"
        )
    settings = context.settings()
    device = pick_device(gpus)
    model, info, weights = _network(backbone, checkpoint, run, context.cache, short_side)
    with context.terminal.progress("variants") as report:
        result = measure(
            find_images([path or matplotlib_file("sample_data/grace_hopper.jpg")]),
            model.to(device),
            info,
            proposals=settings.apply(ProposalConfig(), preset=preset),
            detect=settings.apply(DetectConfig()),
            config=BenchConfig(rois=rois, repeat=repeat),
            onnx=onnx,
            progress=report,
        )
    data = _as_data(result, info, weights, describe(device))
    context.terminal.result(data, bench_table(result, data), is_table=True)
    if out is not None:
        write_json(out, data)


def _network(
    backbone: BackboneName | None,
    checkpoint: Path | None,
    run: str | None,
    cache: Cache,
    short_side: int | None,
) -> tuple[FastRCNN, CheckpointInfo, str]:
    """Returns the network, what it is, and where its weights are from."""
    from dataclasses import replace

    from frcnn_cli.cache.checkpoints import CheckpointInfo
    from frcnn_cli.config import ModelConfig
    from frcnn_cli.detection.choice import choose_checkpoint
    from frcnn_cli.detection.detector import load_model
    from frcnn_cli.model.build import build_model

    if backbone is None:
        chosen = choose_checkpoint(checkpoint, cache, run)
        model, info = load_model(chosen.file)
        weights = chosen.name
    else:
        names = tuple(f"class {label}" for label in range(1, _CLASSES + 1))
        info = CheckpointInfo(ModelConfig(backbone=backbone), names, InputConfig())
        model = build_model(info.model, _CLASSES)
        weights = "random"
    if short_side is not None:
        size = InputConfig(short_side, max(info.input.long_side, round(short_side * 5 / 3)))
        info = replace(info, input=size)
    return model, info, weights


def _as_data(result: Bench, info: CheckpointInfo, weights: str, device: str) -> dict[str, Any]:
    import torch

    from frcnn_cli._version import __version__

    def row(each: Row) -> dict[str, Any]:
        return {
            "name": each.name,
            "seconds": {stage: round(value, 5) for stage, value in each.seconds.items()},
            "network": round(each.network, 5),
            "whole": round(each.whole, 5),
            "times_plain_network": round(result.plain.network / each.network, 3),
            "times_plain_whole": round(result.plain.whole / each.whole, 3),
            "times_rcnn_network": round(result.rcnn.network / each.network, 3),
            "gflop": round(each.flops / 1e9, 1),
            "floor": round(each.floor, 5),
            "peak_memory": each.memory,
            "score_difference": each.scores,
            "box_difference_pixels": each.pixels,
        }

    return {
        "schema": "frcnn.bench/1",
        "backbone": info.model.backbone,
        "weights": weights,
        "device": device,
        "processor": platform.processor() or platform.machine(),
        "versions": {"frcnn": __version__, "torch": torch.__version__},
        "photographs": [list(size) for size in result.sizes],
        "regions": result.regions,
        "rcnn_regions_measured": result.rcnn_regions,
        "peak_gflops": {kind: round(peak / 1e9, 1) for kind, peak in result.peaks.items()},
        "precision": result.precision,
        "svd_ranks": list(result.ranks),
        "rcnn": row(result.rcnn),
        "plain": row(result.plain),
        "ours": [row(each) for each in result.ours],
    }
