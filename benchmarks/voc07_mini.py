"""Trains, bundles and scores the bundled detector, and writes the results.

    python benchmarks/voc07_mini.py path/to/voc07-mini

The run trains for the recipe's 8 epochs and then, resumed, for 4 more. Run the script again to
resume training; a finished run is not repeated. The test split is scored once, with the
half-precision weights that are shipped. Results are written to `voc07_mini.json` and
`voc07_mini.md` next to this file.
"""

from __future__ import annotations

import argparse
import json
import platform
import shutil
import subprocess
import sys
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
RUN = "voc07-mini"
STEPS = 9_600
"""Of all 12 passes."""
TIMED_PHOTOGRAPHS = 20


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


def train(data: Path, cache: Path) -> Path:
    """Returns the run's folder; trains whatever is missing of it."""
    run = cache / "runs" / RUN
    words = ["train", str(data), "--run", RUN, "--cache-dir", str(cache)]
    # On two cores two processes, an image each, are faster than one with two threads.
    words += ["--gpus", "0", "--processes", "2", "--batch", "2"]
    if not (run / "curves.png").exists():  # the last thing that a run writes
        resume = ["--resume"] if (run / "resume.safetensors").exists() else []
        frcnn(*words, *resume)
    if load_checkpoint(run / "last.safetensors")[1].training["step"] < STEPS:
        again = ["train", "--resume", "--run", RUN, "--cache-dir", str(cache)]
        frcnn(*again, "--iterations", str(STEPS), "--gpus", "0", "--processes", "2")
    return run


def steps_of(run: Path) -> list[dict[str, Any]]:
    """Returns what the run wrote down of each step."""
    rows = [json.loads(line) for line in (run / "metrics.jsonl").open(encoding="utf-8")]
    return [row for row in rows if "seconds" in row]


def bundle(checkpoint: Path) -> None:
    """Writes the checkpoint in half precision to where the package looks for it."""
    tensors, info = load_checkpoint(checkpoint)
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
        "# VOC07-mini",
        "",
        "Made by `python benchmarks/voc07_mini.py DATA`. VOC07-mini is a random subset of PASCAL",
        "VOC 2007 (trainval 1,600, test 600): its figures are not comparable with the paper's.",
        "",
        f"Machine: {', '.join(f'{k} {v}' for k, v in result['machine'].items())}.",
        "",
        "| | |",
        "|---|---|",
        f"| mAP on test, 11-point | {report['map_voc07']:.3f} |",
        f"| mAP on test, area | {report['map_voc10']:.3f} |",
        f"| training | {result['training']['steps']:,} steps, "
        f"{result['training']['seconds'] / 60:.0f} min |",
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
    run = train(data, cache)
    bundle(run / "best.safetensors")
    steps = steps_of(run)
    scored = ["--checkpoint", str(BUNDLED), "--cache-dir", str(cache), "--gpus", "0"]
    report = frcnn("eval", str(data), *scored)
    tests = next(data.rglob("ImageSets/Main/test.txt"))
    names = tests.read_text(encoding="utf-8").split()[:TIMED_PHOTOGRAPHS]
    photographs = [str(tests.parents[2] / "JPEGImages" / f"{name}.jpg") for name in names]
    # A new cache of its own, so that the search is timed too.
    shutil.rmtree(cache / "timing", ignore_errors=True)
    fresh = ["--checkpoint", str(BUNDLED), "--cache-dir", str(cache / "timing"), "--gpus", "0"]
    detected = frcnn("detect", *photographs, "--out", str(cache / "timing.json"), *fresh)
    detected["checkpoint"], detected["out"] = BUNDLED.name, Path(detected["out"]).name
    result = {
        "machine": machine(),
        "training": {
            "steps": len(steps),
            "seconds": round(sum(row["seconds"] for row in steps), 1),
            "waiting": round(sum(row["waiting"] for row in steps), 1),
        },
        "test": report,
        "detect": detected,
    }
    (HERE / "voc07_mini.json").write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")
    (HERE / "voc07_mini.md").write_text(table(result), encoding="utf-8")
    print(table(result))


if __name__ == "__main__":
    main()
