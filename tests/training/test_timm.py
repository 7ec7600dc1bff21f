"""Networks of timm go through every command; weights that cannot be loaded are reported."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from frcnn_cli import Detector, train
from frcnn_cli.cache.runs import read_metrics
from frcnn_cli.config import ModelConfig, ProposalConfig
from frcnn_cli.deploy.compress import compress_to
from frcnn_cli.deploy.onnx import export_onnx
from frcnn_cli.errors import CheckpointError
from frcnn_cli.model.build import build_model
from frcnn_cli.training.pretrained import load_initial_weights

timm = pytest.importorskip("timm")

REGIONS = ProposalConfig(max_proposals=300)
STEPS = 16
SETTINGS = {
    "pool": "roi_align",
    "finetune_from": "all",
    "iterations": STEPS,
    "optimizer": "adamw",
    "max_grad_norm": 10.0,
    "add_gt": True,
    "short_sides": (96,),
    "dropout": 0.0,
    "validation_images": 0,
    "short_side": 96,
    "long_side": 160,
}


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One for all, so that regions are searched once."""
    return tmp_path_factory.mktemp("cache")


@pytest.mark.slow
@pytest.mark.parametrize("name", ["resnet18", "mobilenetv3_small_050", "convnext_atto"])
def test_three_families_go_through_every_command(name, scenes, cache, tmp_path):
    torch.manual_seed(1)
    weights = tmp_path / "whole.pth"
    torch.save(timm.create_model(name, pretrained=False).state_dict(), weights)
    result = train(
        scenes,
        split="train",
        recipe="paper",
        weights=weights,
        regions=REGIONS,
        gpus=0,
        cache=cache,
        backbone=f"timm/{name}",
        **SETTINGS,
    )
    assert result.run.name == f"timm-{name}-1"
    losses = [row["loss"] for row in read_metrics(result.run) if "loss" in row]
    assert len(losses) == STEPS
    assert sum(losses[-4:]) / 4 < 0.85 * losses[0], losses
    detector = Detector.load(result.best, device="cpu", regions=REGIONS)
    image = min(Path(scenes).glob("JPEGImages/*.jpg"))
    found = detector.detect(image, score=0.0)
    assert len(found)
    assert len(detector.evaluate(scenes, split="test").classes) == len(detector.classes)
    smaller = tmp_path / "smaller.safetensors"
    done = compress_to(result.best, smaller, {"fc6": 32, "fc7": 0})
    assert done.after.parameters < done.before.parameters
    again = Detector.load(smaller, device="cpu", regions=REGIONS)
    assert len(again.detect(image, score=0.0))
    pytest.importorskip("onnxscript")
    pytest.importorskip("onnxruntime")
    exported = export_onnx(smaller, tmp_path / "model.onnx")  # refuses what differs too much
    assert exported.file.stat().st_size == exported.bytes


def test_a_file_of_another_network_is_refused(tmp_path):
    weights = tmp_path / "other.pth"
    torch.save({"conv1.weight": torch.zeros(1)}, weights)
    model = build_model(ModelConfig(backbone="timm/resnet18"), 2)
    with pytest.raises(CheckpointError, match="does not hold weights of timm/resnet18; choose"):
        load_initial_weights(model, "timm/resnet18", str(weights))


def test_a_download_that_fails_names_the_way_out(monkeypatch, tmp_path):
    pytest.importorskip("huggingface_hub")
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path))
    model = build_model(ModelConfig(backbone="timm/resnet18"), 2)
    with pytest.raises(CheckpointError, match=r"timm/resnet18 could not be.* --weights FILE"):
        load_initial_weights(model, "timm/resnet18", "imagenet")
