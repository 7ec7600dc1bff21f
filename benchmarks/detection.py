"""Times detection: `frcnn bench` for VGG16 and for the default network, and a folder's throughput.

    python benchmarks/detection.py path/to/images [--gpus 1]

VGG16 has random weights and proposals of the `quality` preset, so that there are 2,000; the default
network is the bundled detector with the default search. Throughput is measured for the network and
its post-processing alone, images with 2,000 RoIs one after another, and for the command on a folder
whose proposals are not in the cache. The tables are printed; all figures are written to
`detection.json` next to this file.
"""

from __future__ import annotations

import argparse
import json
import platform
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
import torch
from processor import processor

from frcnn_cli.cache.checkpoints import CheckpointInfo
from frcnn_cli.config import DetectConfig, InputConfig, ModelConfig
from frcnn_cli.detection.detector import LoadedDetector, on_cpu
from frcnn_cli.detection.views import views_of
from frcnn_cli.detection.voting import postprocess_with_votes
from frcnn_cli.model.build import build_model
from frcnn_cli.runtime.device import describe, pick_device

OUTPUT = Path(__file__).with_suffix(".json")
FOLDER = 100
"""Images of the folder."""
SECONDS = 10.0
"""How long the network's throughput is measured."""


def bench(image_file: Path, *words: str) -> dict[str, Any]:
    """Runs `frcnn bench` and shows its table."""
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "bench.json"
        command = ["bench", str(image_file), "--out", str(out), *words]
        subprocess.run([sys.executable, "-m", "frcnn_cli", *command], check=True)
        result: dict[str, Any] = json.loads(out.read_text(encoding="utf-8"))
        result["weights"] = Path(result["weights"]).name
        return result


def network_throughput(gpus: int) -> dict[str, Any]:
    """Runs VGG16 on 800×600 noise with 2,000 random RoIs; returns images per second."""
    device = pick_device(gpus)
    config = ModelConfig(backbone="vgg16")
    classes = tuple(f"class {label}" for label in range(20))
    info = CheckpointInfo(config, classes, InputConfig())
    detector = LoadedDetector.of(build_model(config, len(classes)).to(device), info)
    random = np.random.default_rng(0)
    image = random.integers(0, 256, (600, 800, 3), np.uint8)
    corners = np.sort(random.uniform((0, 0), (800, 600), (2000, 2, 2)), axis=1)
    boxes = corners.reshape(2000, 4).astype(np.float32)
    views = views_of(image, boxes, detector.sizes(DetectConfig()))
    proposals = torch.from_numpy(boxes)

    @torch.inference_mode()
    def once() -> None:
        output = on_cpu(detector.forward([views]))
        postprocess_with_votes(output, proposals, (800, 600), DetectConfig())

    for _ in range(3):
        once()
    began, done = time.perf_counter(), 0
    while time.perf_counter() - began < SECONDS:
        once()
        done += 1
    seconds = time.perf_counter() - began
    return {"device": describe(device), "photographs a second": done / seconds}


def folder_throughput(paths: list[Path], gpus: int) -> dict[str, Any]:
    """Runs `frcnn detect` on links to images; returns wall seconds of one and of many."""
    walls = []
    for number in (1, FOLDER):
        with tempfile.TemporaryDirectory() as name:
            folder = Path(name) / "photographs"
            folder.mkdir()
            for path in paths[:number]:
                (folder / path.name).symlink_to(path.resolve())
            command = [
                *("detect", "photographs", "--checkpoint", "bundled", "--gpus", str(gpus)),
                *("--out", "boxes.json", "--quiet"),
            ]
            began = time.perf_counter()
            subprocess.run([sys.executable, "-m", "frcnn_cli", *command], check=True, cwd=name)
            walls.append(time.perf_counter() - began)
    each = (walls[1] - walls[0]) / (min(FOLDER, len(paths)) - 1)
    return {"one photograph": walls[0], f"{FOLDER} photographs": walls[1], "each further": each}


def machine() -> dict[str, str]:
    """Returns the device and the versions that the figures belong to."""
    return {
        "device": processor(),
        "instructions": torch.backends.cpu.get_cpu_capability(),
        "python": platform.python_version(),
        "torch": torch.__version__,
    }


def main() -> None:
    """Runs everything and writes it down."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path, help="photographs (.jpg)")
    parser.add_argument("--image", help="name of the one that is benched; else the first")
    parser.add_argument("--gpus", type=int, default=0, help="1: a GPU; 0: the CPU")
    options = parser.parse_args()
    paths = sorted(options.folder.rglob("*.jpg"))
    one = next((path for path in paths if path.name == options.image), paths[0])
    gpus = ("--gpus", str(options.gpus))
    result: dict[str, Any] = {"machine": machine()}
    result["vgg16"] = bench(one, "--backbone", "vgg16", "--preset", "quality", *gpus)
    result["default"] = bench(one, "--checkpoint", "bundled", "--repeat", "5", *gpus)
    result["vgg16 network"] = network_throughput(options.gpus)
    result["folder"] = folder_throughput(paths, options.gpus)
    for name in ("vgg16 network", "folder"):
        print(f"{name}: {json.dumps(result[name])}")
    OUTPUT.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
