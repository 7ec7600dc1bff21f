"""The commands that detect, on a pretend GPU: the CPU's results, and no mixed devices."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import matplotlib
import pytest
from PIL import Image

from frcnn_cli.deploy import compress, flops
from frcnn_cli.detection.detector import BUNDLED
from support.commands import frcnn
from support.datasets import xml
from support.pretend_gpu import PretendGPU

pytestmark = pytest.mark.slow
SETTINGS = """
[proposals]
engine = "opencv"
max_proposals = 200

[speed]
precision = "float32"
"""


@pytest.fixture
def portraits(tmp_path: Path) -> Path:
    """A folder with settings and a VOC year of two portraits, upright and mirrored."""
    portrait = Path(matplotlib.get_data_path()) / "sample_data" / "grace_hopper.jpg"
    image = Image.open(portrait).resize((256, 300))
    year = tmp_path / "people"
    for folder in ("JPEGImages", "ImageSets/Main"):
        (year / folder).mkdir(parents=True)
    for name, pixels in (("a", image), ("b", image.transpose(Image.Transpose.FLIP_LEFT_RIGHT))):
        pixels.save(year / "JPEGImages" / f"{name}.jpg")
        xml(year / "Annotations" / f"{name}.xml", [("person", (20, 15, 240, 300))])
    (year / "ImageSets" / "Main" / "test.txt").write_text("a\nb\n")
    (tmp_path / "frcnn.toml").write_text(SETTINGS)
    return tmp_path


def run(folder: Path, gpus: int, *words: str) -> dict[str, Any]:
    done = frcnn(folder, *words, "--gpus", str(gpus), "--checkpoint", "bundled", "--json")
    assert done.returncode == 0, done.stderr
    result: dict[str, Any] = json.loads(done.stdout)
    return result


def test_detect_finds_the_same(portraits: Path, pretend_gpu: PretendGPU) -> None:
    found = []
    for gpus in (0, 1):
        out = portraits / f"{gpus}.json"
        run(portraits, gpus, "detect", "people/JPEGImages", "--out", str(out))
        found.append([image["detections"] for image in json.loads(out.read_text())["images"]])
    assert pretend_gpu.total.operations, "nothing was computed on the GPU"
    for one, other in zip(*found, strict=True):
        assert [each["label"] for each in one] == [each["label"] for each in other]
        assert one[0]["label"] == "person"
        for mine, its in zip(one, other, strict=True):
            assert mine["score"] == pytest.approx(its["score"], abs=1e-4)
            assert mine["box"] == pytest.approx(its["box"], abs=0.05)


def test_eval_scores_the_same(portraits: Path, pretend_gpu: PretendGPU) -> None:
    reports = [run(portraits, gpus, "eval", "people") for gpus in (0, 1)]
    assert pretend_gpu.total.operations
    assert [report["classes"]["person"]["ap"] for report in reports] == [1, 1]


def test_bench_measures_every_variant(
    portraits: Path, pretend_gpu: PretendGPU, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(flops, "_SIDE", 32)  # of products for a real GPU's speed
    words = ("--rois", "4", "--repeat", "1", "--short-side", "96")
    result = run(portraits, 1, "bench", "people/JPEGImages/a.jpg", *words)
    assert result["device"] == "pretend GPU"
    assert pretend_gpu.total.operations


def test_compress_scores_every_trial(
    portraits: Path, pretend_gpu: PretendGPU, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(compress, "STEPS", 1)
    words = ("--max-drop", "100", "--data", "people", "--split", "test", "--images", "1")
    done = frcnn(portraits, "compress", str(BUNDLED), *words, "--gpus", "1", "--json")
    assert done.returncode == 0, done.stderr
    assert pretend_gpu.total.operations
    result = json.loads(done.stdout)
    assert result["after"]["parameters"] < result["before"]["parameters"]
