"""The measuring itself: what is compared with what, and what is counted."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from frcnn_cli.cache.checkpoints import CheckpointInfo
from frcnn_cli.config import DetectConfig, InputConfig, ModelConfig, ProposalConfig
from frcnn_cli.deploy.benchmark import measure
from frcnn_cli.deploy.benchmark_runner import NETWORK, STAGES, BenchConfig
from frcnn_cli.deploy.flops import network_flops
from frcnn_cli.errors import FrcnnError
from frcnn_cli.model.build import build_backbone, build_model
from frcnn_cli.model.fast_rcnn import FastRCNN


def test_the_operations_of_vgg16_are_those_of_the_literature() -> None:
    """At 224 × 224: 15.35 G multiplications in the convolutions, 0.12 G in fc6 and fc7."""
    with torch.device("meta"):
        model = FastRCNN(build_backbone(ModelConfig(backbone="vgg16")), 20)
    convolutions = network_flops(model, 224, 224, 0)
    assert convolutions == pytest.approx(2 * 15.35e9, rel=0.01)
    layers = 25088 * 4096 + 4096 * 4096 + 4096 * 21 * 5
    assert network_flops(model, 224, 224, 3) - convolutions == 2 * 3 * layers


@pytest.mark.slow
def test_every_variant_is_measured_and_gives_the_same(scenes: Path) -> None:
    image = sorted((scenes / "JPEGImages").glob("*.jpg"))[0]
    info = CheckpointInfo(ModelConfig(), ("a", "b"), InputConfig(96, 160))
    model = build_model(info.model, 2)
    with torch.no_grad():
        model.class_score.weight.mul_(20)
    result = measure(
        [image],
        model,
        info,
        proposals=ProposalConfig(preset="single"),
        detect=DetectConfig(),
        config=BenchConfig(rois=50, repeat=1, rcnn_regions=2, ranks=(8, 0)),
    )
    rows = (result.rcnn, result.plain, *result.ours)
    assert all(tuple(row.seconds) == STAGES for row in rows)
    assert result.plain.scores == 0
    names = [row.name for row in result.ours]
    assert names[:2] == ["tables", "+ dedup"]
    assert names[-1] == "+ SVD"
    for row in result.ours:
        if row.name in {"tables", "+ dedup", "+ fused"}:
            assert row.scores is not None
            assert row.scores < 1e-4
            assert row.pixels is not None
            assert row.pixels < 0.01
    assert result.regions <= 50
    assert result.ours[-1].flops < result.plain.flops < result.rcnn.flops
    assert all(row.floor > 0 for row in rows)
    assert all(row.network == pytest.approx(sum(row.seconds[s] for s in NETWORK)) for row in rows)


def test_an_export_that_cannot_be_run_ends_before_the_work(tmp_path: Path) -> None:
    model = build_model(ModelConfig(), 2)
    info = CheckpointInfo(ModelConfig(), ("a", "b"), InputConfig())
    with pytest.raises(FrcnnError, match=r"no\.onnx: there is no such file|needs onnxruntime"):
        measure(
            [tmp_path / "no.jpg"],
            model,
            info,
            proposals=ProposalConfig(),
            detect=DetectConfig(),
            config=BenchConfig(),
            onnx=tmp_path / "no.onnx",
        )
