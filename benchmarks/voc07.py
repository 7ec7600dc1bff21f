"""Trains, bundles and scores the bundled detector, and writes the results.

    python benchmarks/voc07.py path/to/voc07

The data is a VOC devkit with the splits `trainval` (the 5,008 images of VOC 2007), `mini_trainval`
(1,600 of them) and `test`. Training has three stages: 12 epochs of `mini_trainval` from ImageNet
weights, 2 epochs of `trainval` from the weights of the first stage, and 3 more from those of the
second with random crops, colours and balanced classes. Run the script again to resume training; a
finished run is not repeated. No image of `trainval` is left to calibrate the last stage's scores
on, so they get the calibration of the first stage, found on 426 images that it has not seen. The
test split is scored once, with the half-precision weights that are shipped. Results are written to
`voc07.json` and `voc07.md` next to this file.
"""

from __future__ import annotations

import argparse
import json
import platform
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import cv2
import torch
import torchvision
from processor import processor

from frcnn_cli import __version__
from frcnn_cli.cache.checkpoints import load_checkpoint, save_checkpoint
from frcnn_cli.detection.detector import BUNDLED

HERE = Path(__file__).parent
MINI, FULL, VARIED = "voc07-mini", "voc07", "voc07-varied"
"""The runs of the three stages."""
FULL_SETTINGS = "lr = 0.0007\nvalidation_images = 0\nfinal_eval = false\n"
"""Of the second stage: a lower rate than the recipe's, and no image is held out to choose by."""
VARIED_SETTINGS = FULL_SETTINGS + "crop_prob = 0.5\nphotometric = 0.4\nclass_balance = 0.1\n"
"""Of the third stage."""
TIMED_IMAGES = 20


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


def train(run: Path, steps: int, *words: str) -> None:
    """Trains the run up to `steps`, from where it stands; `words` are what it starts with."""
    name = ["--run", run.name, "--cache-dir", str(run.parents[1]), "--iterations", str(steps)]
    # On two cores two processes, an image each, are faster than one with two threads.
    name += ["--gpus", "0", "--processes", "2"]
    if not (run / "resume.safetensors").exists():
        frcnn("train", *words, *name, "--batch", "2")
    elif load_checkpoint(run / "last.safetensors")[1].training["step"] < steps:
        frcnn("train", "--resume", *name)


def train_all(data: Path, cache: Path) -> tuple[Path, Path, Path]:
    """Trains what is missing of the three stages; returns the folders of their runs."""
    mini, full, varied = (cache / "runs" / name for name in (MINI, FULL, VARIED))
    for steps in (6_400, 9_600):  # 8 epochs and, resumed, 4 more
        train(mini, steps, str(data), "--split", "mini_trainval")
    for run, before, steps, seed, settings in (
        (full, mini / "best.safetensors", 5_008, 0, FULL_SETTINGS),
        (varied, full / "last.safetensors", 7_500, 3, VARIED_SETTINGS),
    ):
        file = cache / f"{run.name}.toml"
        file.write_text(f"[train]\n{settings}", encoding="utf-8")
        words = ["--weights", str(before), "--config", str(file), "--seed", str(seed)]
        train(run, steps, str(data), "--split", "trainval", *words)
    return mini, full, varied


def steps_of(run: Path) -> dict[str, float]:
    """Returns the number of steps of a run, and the seconds that they took."""
    rows = [json.loads(line) for line in (run / "metrics.jsonl").open(encoding="utf-8")]
    steps = [row for row in rows if "seconds" in row]
    return {"steps": len(steps), "seconds": round(sum(row["seconds"] for row in steps), 1)}


def unseen_split(data: Path) -> str:
    """Writes a list of every eighth image that the first stage has not seen; returns its name."""
    lists = next(data.rglob("ImageSets/Main/mini_trainval.txt")).parent
    seen, every = (
        set((lists / f"{split}.txt").read_text(encoding="utf-8").split())
        for split in ("mini_trainval", "trainval")
    )
    (lists / "unseen.txt").write_text("\n".join(sorted(every - seen)[::8]), encoding="utf-8")
    return "unseen"


def bundle(mini: Path, last: Path, data: Path, cache: Path) -> None:
    """Writes the last stage in half precision to where the package looks for it."""
    calibrated = cache / "calibrated.safetensors"
    chosen = ["--checkpoint", str(mini / "best.safetensors"), "--calibrate", str(calibrated)]
    device = ["--cache-dir", str(cache), "--gpus", "0"]
    frcnn("eval", str(data), "--split", unseen_split(data), *chosen, *device)
    tensors, info = load_checkpoint(last / "last.safetensors")
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
    lines = [
        "# VOC 2007 trainval",
        "",
        "Made by `python benchmarks/voc07.py DATA`. Trained on VOC 2007 trainval (5,008),",
        "scored on 600 of the 4,952 test images: not the paper's test set.",
        "",
        f"Machine: {', '.join(f'{k} {v}' for k, v in result['machine'].items())}.",
        "",
        "| | |",
        "|---|---|",
        f"| mAP on test, 11-point | {report['map_voc07']:.3f} |",
        f"| mAP on test, area | {report['map_voc10']:.3f} |",
        *(
            f"| training, {name} | {each['steps']:,} steps, {each['seconds'] / 60:.0f} min |"
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
    return "\n".join(lines) + "\n"


def main() -> None:
    """Runs the benchmark."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("data", type=Path)
    parser.add_argument("--cache-dir", type=Path, default=Path(".frcnn"))
    arguments = parser.parse_args()
    data, cache = arguments.data, arguments.cache_dir
    runs = train_all(data, cache)
    bundle(runs[0], runs[-1], data, cache)
    scored = ["--checkpoint", str(BUNDLED), "--cache-dir", str(cache), "--gpus", "0"]
    report = frcnn("eval", str(data), *scored)
    tests = next(data.rglob("ImageSets/Main/test.txt"))
    names = tests.read_text(encoding="utf-8").split()[:TIMED_IMAGES]
    images = [str(tests.parents[2] / "JPEGImages" / f"{name}.jpg") for name in names]
    # A new cache of its own, so that the search is timed too.
    shutil.rmtree(cache / "timing", ignore_errors=True)
    fresh = ["--checkpoint", str(BUNDLED), "--cache-dir", str(cache / "timing"), "--gpus", "0"]
    detected = frcnn("detect", *images, "--out", str(cache / "timing.json"), *fresh)
    detected["checkpoint"], detected["out"] = BUNDLED.name, Path(detected["out"]).name
    result = {
        "machine": machine(),
        "training": {run.name: steps_of(run) for run in runs},
        "test": report,
        "detect": detected,
    }
    (HERE / "voc07.json").write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")
    (HERE / "voc07.md").write_text(table(result), encoding="utf-8")
    print(table(result))


if __name__ == "__main__":
    main()
