"""Trains, bundles and scores the bundled detector, and writes the results.

    python benchmarks/voc07.py path/to/voc07

The data is a VOC devkit with the splits `train` and `val` (here 4,206 and 802 images of VOC 2007
trainval, which are not VOC's own lists), `trainval` and `test`. Training has three stages, each
from all weights of the one before: 2 epochs of `train` from ImageNet weights on small images, then
2.4 and 3.2 epochs of `trainval` with random crops, colours and balanced classes. Run the script
again to resume training; a finished run is not repeated. No image of `trainval` is left to
calibrate the last stage's scores on, so they get the calibration of the first stage, found on
`val`. fc6 is compressed to rank 128 (§3.1). The test split is scored once, with the half-precision
weights that are shipped. Results are written to `voc07.json` and `voc07.md` next to this file.
"""

from __future__ import annotations

import argparse
import json
import platform
import shutil
import subprocess
import sys
import tomllib
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

import cv2
import torch
import torchvision
from processor import processor

from frcnn_cli import __version__
from frcnn_cli.cache.checkpoints import load_checkpoint, save_checkpoint
from frcnn_cli.detection.detector import BUNDLED

HERE = Path(__file__).parent
BACKBONE, FC6_RANK = "efficientnet_lite2", 128
ALL_IMAGES = "[train]\nvalidation_images = 0\nfinal_eval = false\n"
"""Settings: no image is held out to choose by."""
VARIED = ALL_IMAGES + "photometric = 0.4\nclass_balance = 0.1\n"
TIMED_IMAGES = 20


class Stage(NamedTuple):
    """A run of `frcnn train` from the weights of the stage before."""

    run: str
    split: str
    steps: int
    settings: str
    words: str


STAGES = (
    Stage("voc07-train", "train", 4_206, ALL_IMAGES, "--scales 320,384,448"),
    Stage("voc07-trainval", "trainval", 5_900, VARIED + "crop_prob = 0.3\n", "--seed 1"),
    Stage("voc07-varied", "trainval", 8_000, VARIED + "crop_prob = 0.5\nlr = 0.0007\n", "--seed 2"),
)


def frcnn(*words: str) -> dict[str, Any]:
    """Runs a command with --json and returns its result; progress stays on stderr."""
    print("$ frcnn", *words, flush=True)
    done = subprocess.run(
        [sys.executable, "-m", "frcnn_cli", *words, "--json"],
        stdout=subprocess.PIPE,
        check=True,
        text=True,
    )
    result: dict[str, Any] = json.loads(done.stdout)
    return result


def train(stage: Stage, weights: str, data: Path, cache: Path) -> Path:
    """Trains what is missing of a stage and returns the folder of its run."""
    run = cache / "runs" / stage.run
    name = ["--run", run.name, "--cache-dir", str(cache), "--iterations", str(stage.steps)]
    # On two cores two processes, an image each, are faster than one with two threads.
    name += ["--gpus", "0", "--processes", "2"]
    if not (run / "resume.safetensors").exists():
        file = cache / f"{run.name}.toml"
        cache.mkdir(parents=True, exist_ok=True)
        file.write_text(stage.settings, encoding="utf-8")
        start = ["--split", stage.split, "--config", str(file), *stage.words.split()]
        start += ["--weights", weights, "--backbone", BACKBONE, "--batch", "2"]
        frcnn("train", str(data), *start, *name)
    elif load_checkpoint(run / "last.safetensors")[1].training["step"] < stage.steps:
        frcnn("train", "--resume", *name)
    return run


def train_all(data: Path, cache: Path) -> list[Path]:
    """Trains what is missing of all stages and returns the folders of their runs."""
    runs: list[Path] = []
    weights = "imagenet"
    for stage in STAGES:
        runs.append(train(stage, weights, data, cache))
        weights = str(runs[-1] / "best.safetensors")
    return runs


def steps_of(run: Path) -> dict[str, float]:
    """Returns the number of steps of a run, and the seconds that they took."""
    rows = [json.loads(line) for line in (run / "metrics.jsonl").open(encoding="utf-8")]
    steps = [row for row in rows if "seconds" in row]
    return {"steps": len(steps), "seconds": round(sum(row["seconds"] for row in steps), 1)}


def bundle(first: Path, last: Path, data: Path, cache: Path) -> None:
    """Writes the last stage, compressed, in half precision to where the package looks for it."""
    calibrated, small = cache / "calibrated.safetensors", cache / "small.safetensors"
    chosen = ["--checkpoint", str(first / "best.safetensors"), "--calibrate", str(calibrated)]
    device = ["--cache-dir", str(cache), "--gpus", "0"]
    frcnn("eval", str(data), "--split", "val", *chosen, *device)
    best = str(last / "best.safetensors")
    frcnn("compress", best, "--fc6", str(FC6_RANK), "--out", str(small))
    tensors, info = load_checkpoint(small)
    info = replace(info, calibration=load_checkpoint(calibrated)[1].calibration)
    BUNDLED.parent.mkdir(exist_ok=True)
    save_checkpoint(BUNDLED, {name: tensor.half() for name, tensor in tensors.items()}, info)


def machine() -> dict[str, str]:
    """Returns the device and the versions that the figures belong to."""
    return {
        "device": f"{processor()}, no GPU",
        "python": platform.python_version(),
        "frcnn": __version__,
        "torch": torch.__version__,
        "torchvision": torchvision.__version__,
        "opencv": cv2.__version__,
    }


def table(result: dict[str, Any]) -> str:
    """Returns the results in Markdown."""
    report, seconds = result["test"], result["detect"]["seconds"]
    low, high = result["bootstrap"]["map"]
    lines = [
        "# VOC 2007 trainval",
        "",
        "Made by `python benchmarks/voc07.py DATA`. Trained on VOC 2007 trainval (5,008),",
        "scored on 600 of the 4,952 test images: not the paper's test set. The model card says how",
        "the bundled detector's training differs from the script.",
        "",
        f"Machine of the scoring: {', '.join(f'{k} {v}' for k, v in result['machine'].items())}.",
        "",
        "| | |",
        "|---|---|",
        f"| mAP on test, 11-point | {report['map_voc07']:.3f} |",
        f"| its 95 % interval | {low:.3f} to {high:.3f} |",
        f"| mAP on test, area | {report['map_voc10']:.3f} |",
        *(
            f"| training, {name} | {each['steps']:,} steps on {each['images']:,} images of "
            f"{each['split']}, {each['seconds'] / 60:.0f} min on {each['device']} |"
            for name, each in result["training"].items()
        ),
        f"| per image: decode | {seconds['decode']:.3f} s |",
        f"| per image: proposals | {seconds['proposals']:.3f} s |",
        f"| per image: network | {seconds['network']:.3f} s |",
        f"| per image: post-processing | {seconds['postprocess']:.3f} s |",
        f"| bundled weights | {BUNDLED.stat().st_size / 1e6:.1f} MB |",
        "",
        "| class | objects | AP 11-point | AP area |",
        "|---|---|---|---|",
    ]
    for name, each in report["classes"].items():
        lines.append(
            f"| {name} | {each['objects']} | {each['ap_voc07']:.3f} | {each['ap_voc10']:.3f} |"
        )
    point = report["threshold"]
    lines += [
        "",
        "| score | detections | right |",
        "|---|---|---|",
        *(
            f"| {each['low']:.1f} to {each['high']:.1f} | {each['detections']:,} "
            f"| {each['right']:.0%} |"
            for each in result["reliability"]
        ),
        "",
        f"From the detector's threshold on, {point['score']:.3f}, precision is "
        f"{point['precision']:.0%} and recall {point['recall']:.0%}.",
    ]
    return "\n".join(lines) + "\n"


def recipe(data: Path) -> dict[str, dict[str, Any]]:
    """Returns how each stage is trained: its split, images, settings and flags."""
    stages = {}
    for stage in STAGES:
        ids = next(data.rglob(f"ImageSets/Main/{stage.split}.txt")).read_text(encoding="utf-8")
        settings = tomllib.loads(stage.settings)["train"]
        images = len(ids.split())
        stages[stage.run] = {"split": stage.split, "images": images, **settings}
        stages[stage.run]["flags"] = f"--backbone {BACKBONE} --batch 2 {stage.words}"
    return stages


def measure(data: Path, cache: Path) -> dict[str, Any]:
    """Scores the bundled detector on the test split, and times it on some images."""
    scored = ["--checkpoint", "bundled", "--cache-dir", str(cache), "--gpus", "0"]
    report = frcnn("eval", str(data), *scored, "--report", str(cache / "report"))
    analysis = json.loads((cache / "report" / "report.json").read_text(encoding="utf-8"))
    tests = next(data.rglob("ImageSets/Main/test.txt"))
    names = tests.read_text(encoding="utf-8").split()[:TIMED_IMAGES]
    images = [str(tests.parents[2] / "JPEGImages" / f"{name}.jpg") for name in names]
    # A new cache of its own, so that the search is timed too.
    shutil.rmtree(cache / "timing", ignore_errors=True)
    fresh = ["--checkpoint", "bundled", "--cache-dir", str(cache / "timing"), "--gpus", "0"]
    detected = frcnn("detect", *images, "--out", str(cache / "timing.json"), *fresh)
    detected["checkpoint"], detected["out"] = BUNDLED.name, Path(detected["out"]).name
    found = {key: analysis[key] for key in ("bootstrap", "reliability")}
    return {"test": report, **found, "detect": detected}


def main() -> None:
    """Runs the benchmark."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("data", type=Path)
    parser.add_argument("--cache-dir", type=Path, default=Path(".frcnn"))
    arguments = parser.parse_args()
    data, cache = arguments.data, arguments.cache_dir
    runs = train_all(data, cache)
    bundle(runs[0], runs[-1], data, cache)
    here = machine()
    training = {
        run: row | steps_of(cache / "runs" / run) | {"device": here["device"]}
        for run, row in recipe(data).items()
    }
    result = {"machine": here, "training": training, **measure(data, cache)}
    (HERE / "voc07.json").write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")
    (HERE / "voc07.md").write_text(table(result), encoding="utf-8")
    print(table(result))


if __name__ == "__main__":
    main()
