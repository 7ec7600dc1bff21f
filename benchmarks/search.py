"""Times the fast engine against OpenCV's, and counts the boxes that differ.

    python benchmarks/search.py path/to/photographs [--photographs 20] [--same 100]

One thread each, in turn, in CPU seconds of that thread. Large photographs are mosaics of those
given, each tile shrunk or grown to 500×375. The table is printed, and written with all figures to
`search.json` beside this file.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import resource
import time
from pathlib import Path
from statistics import median
from typing import Any

import cv2
import numba
import numpy as np
import numpy.typing as npt

from frcnn_cli import __version__
from frcnn_cli.config import Preset
from frcnn_cli.data.images import load_image
from frcnn_cli.proposals import fast, opencv

OUTPUT = Path(__file__).with_suffix(".json")
TILE = (500, 375)
Pixels = npt.NDArray[np.uint8]


def compare(name: str, preset: Preset, images: list[Pixels]) -> dict[str, Any]:
    """Searches each picture with both engines."""
    rows = []
    for image in images:
        theirs, opencv_seconds = _timed(opencv, image, preset)
        ours, fast_seconds = _timed(fast, image, preset)
        rows.append(
            {
                "boxes": len(theirs),
                "boxes that differ": len(ours ^ theirs),
                "opencv": opencv_seconds,
                "fast": fast_seconds,
            }
        )
    return {
        "pictures": name,
        "preset": preset,
        "number": len(rows),
        "same": sum(row["boxes that differ"] == 0 for row in rows),
        "opencv": median(row["opencv"] for row in rows),
        "fast": median(row["fast"] for row in rows),
        "times": median(row["opencv"] / row["fast"] for row in rows),
        "each": rows,
    }


def growth(paths: list[Path]) -> list[dict[str, float]]:
    """Times the fast engine alone on larger and larger mosaics."""
    rows = []
    for side in (1, 3, 8):
        image = mosaic(paths, side)
        _, seconds = _timed(fast, image, "fast")
        megapixels = image.shape[0] * image.shape[1] / 1e6
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e3  # kB on Linux
        rows.append({"megapixels": megapixels, "seconds": seconds, "peak MB": peak})
    return rows


def mosaic(paths: list[Path], side: int, seed: int = 0) -> Pixels:
    """Returns `side` × `side` photographs as one."""
    chosen = np.random.default_rng(seed).choice(len(paths), side * side)
    tiles = [cv2.resize(load_image(paths[i]), TILE) for i in chosen]
    return np.vstack([np.hstack(tiles[i * side : (i + 1) * side]) for i in range(side)])


def machine() -> dict[str, str]:
    """Returns the device and the versions that the figures belong to."""
    model = platform.processor()
    if Path("/proc/cpuinfo").exists():
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
        model = next((line.split(":")[1].strip() for line in lines if "model name" in line), model)
    return {
        "device": f"{model}, {os.cpu_count()} cores",
        "python": platform.python_version(),
        "frcnn": __version__,
        "opencv": cv2.__version__,
        "numba": numba.__version__,
    }


def main() -> None:
    """Runs everything and writes it down."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path, help="photographs (.jpg)")
    parser.add_argument("--photographs", type=int, default=20, help="of each timed comparison")
    parser.add_argument("--same", type=int, default=100, help="whose fast boxes are compared")
    options = parser.parse_args()
    paths = sorted(options.folder.rglob("*.jpg"))
    opencv.use_one_thread()
    fast.require()

    comparisons = []
    print("| pictures | preset | number | same boxes | OpenCV s | fast s | times |\n|" + "---|" * 7)
    for name, preset, images in (
        ("photographs", "fast", _some(paths, options.same)),
        ("photographs", "quality", _some(paths, options.photographs)),
        ("photographs", "single", _some(paths, options.photographs)),
        ("photographs", "paper", _some(paths, options.photographs)),
        ("mosaics of 1500×1125", "fast", [mosaic(paths, 3, seed) for seed in range(3)]),
    ):
        found = compare(name, preset, images)
        comparisons.append(found)
        print(
            f"| {name} | `{preset}` | {found['number']} | {found['same']} "
            f"| {found['opencv']:.3f} | {found['fast']:.3f} | {found['times']:.1f} |",
            flush=True,
        )
    sizes = growth(paths)
    for row in sizes:
        print(
            f"{row['megapixels']:.2f} MP: {row['seconds'] / row['megapixels']:.2f} s/MP, "
            f"peak {row['peak MB']:.0f} MB"
        )
    result = {"machine": machine(), "comparisons": comparisons, "growth": sizes}
    OUTPUT.write_text(json.dumps(result, indent=1), encoding="utf-8")


def _timed(engine: Any, image: Pixels, preset: Preset) -> tuple[set[tuple[int, ...]], float]:
    began = time.thread_time()
    boxes = engine.search(image, preset)
    seconds = time.thread_time() - began
    return set(map(tuple, boxes.tolist())), seconds


def _some(paths: list[Path], number: int) -> list[Pixels]:
    return [load_image(path) for path in paths[:: max(1, len(paths) // number)][:number]]


if __name__ == "__main__":
    main()
