"""Times selective search: engine × preset × size × threads, with common boxes and recall.

    python benchmarks/proposals.py path/to/voc07-mini [--images 20] [--mosaics 2]

Seconds are wall time, the median over images, each searched once by each engine in turn. OpenCV's
search has only one thread. Large images are mosaics, each tile resized to 500×375; OpenCV is not
timed at 12 megapixels, which take many minutes. Recall is the fraction of objects in other images
that one of the first 2,000 boxes overlaps by an IoU of 0.5. The table is printed, and written with
all figures to `proposals.json` next to this file.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import resource
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from statistics import median
from typing import Any

import cv2
import numba
import numpy as np
import numpy.typing as npt
from processor import processor

from frcnn_cli import __version__
from frcnn_cli.cache.store import Cache
from frcnn_cli.config import Preset, ProposalConfig
from frcnn_cli.data.images import load_image
from frcnn_cli.data.open import open_dataset, read_split
from frcnn_cli.evaluation.metrics.recall import measure_overlaps
from frcnn_cli.proposals import fast, opencv
from frcnn_cli.proposals.search import search
from frcnn_cli.records import Sample

OUTPUT = Path(__file__).with_suffix(".json")
PRESETS: tuple[Preset, ...] = ("fast", "quality", "single", "paper")
TILE = (500, 375)
FIRST = 2000
SLOW = 4
"""OpenCV takes so many times longer at the quality preset: fewer images are searched."""

Pixels = npt.NDArray[np.uint8]
Row = dict[str, Any]


def compare(
    pictures: str, preset: Preset, images: Sequence[Pixels], *, with_opencv: bool = True
) -> list[Row]:
    """Returns a row for OpenCV, one for the fast engine, and one for it on all cores."""
    cores = os.cpu_count() or 1
    runs = [(opencv, 1)] * with_opencv + [(fast, 1)] + [(fast, cores)] * (cores > 1)
    seconds: list[list[float]] = [[] for _ in runs]
    common: list[int] = []
    boxes: list[int] = []
    for image in images:
        found = []
        for times, (engine, threads) in zip(seconds, runs, strict=True):
            cv2.setNumThreads(threads)
            began = time.perf_counter()
            regions = engine.search(image, preset)
            times.append(time.perf_counter() - began)
            found.append({tuple(box) for box in regions.tolist()})
        boxes.append(len(found[0]))
        common.append(len(set.intersection(*found)))
    area = median(image.shape[0] * image.shape[1] for image in images) / 1e6
    reference = median(seconds[0])
    return [
        {
            "pictures": pictures,
            "megapixels": area,
            "number": len(images),
            "preset": preset,
            "engine": "opencv" if engine is opencv else "fast",
            "threads": threads,
            "seconds": median(times),
            "seconds a megapixel": median(times) / area,
            "times OpenCV": reference / median(times) if with_opencv else None,
            "boxes": median(boxes),
            "boxes in common": sum(common) / sum(boxes) if with_opencv else None,
            "each": times,
        }
        for times, (engine, threads) in zip(seconds, runs, strict=True)
    ]


def recall(samples: Sequence[Sample], preset: Preset) -> float:
    """Returns the share of objects that the first boxes overlap; either engine has this list."""
    config = ProposalConfig(preset=preset, max_side=0)
    found = ((each, search(load_image(each.path), config)[:FIRST]) for each in samples)
    return float((measure_overlaps(found).iou >= 0.5).mean())


def mosaic(samples: Sequence[Sample], side: int, seed: int = 0) -> Pixels:
    """Returns `side` × `side` images as one."""
    chosen = np.random.default_rng(seed).choice(len(samples), side * side)
    tiles = [cv2.resize(load_image(samples[i].path), TILE) for i in chosen]
    return np.vstack([np.hstack(tiles[i * side : (i + 1) * side]) for i in range(side)])


def machine() -> dict[str, Any]:
    """Returns the device and the versions that the figures belong to."""
    return {
        "device": processor(),
        "python": platform.python_version(),
        "frcnn": __version__,
        "opencv": cv2.__version__,
        "numba": numba.__version__,
        "peak MB": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e3),  # kB on Linux
    }


def as_line(row: Row) -> str:
    """Returns a row of the table in Markdown."""
    times, same, found = row["times OpenCV"], row["boxes in common"], row["recall"]
    cells = [
        row["pictures"],
        row["preset"],
        f"{row['engine']}, {row['threads']} thread{'s' * (row['threads'] > 1)}",
        f"{row['seconds']:.3f}",
        f"{row['seconds a megapixel']:.2f}",
        "" if times is None else f"{times:.1f}",
        f"{row['boxes']:,.0f}",
        "" if same is None else f"{same:.2%}",
        "" if found is None else f"{found:.3f}",
    ]
    return f"| {' | '.join(cells)} |"


def main() -> None:
    """Runs everything and writes it down."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("data", type=Path, help="a data set with a split trainval")
    parser.add_argument("--images", type=int, default=20, help="of each timed comparison")
    parser.add_argument("--mosaics", type=int, default=2, help="of 1500×1125 pixels")
    parser.add_argument("--recall", type=int, default=100, help="images for recall")
    options = parser.parse_args()
    fast.require()
    with tempfile.TemporaryDirectory() as folder:
        samples, _ = read_split(open_dataset(options.data, Cache(Path(folder))), "trainval")
    timed = [load_image(each.path) for each in _spread(samples, options.images)]

    titles = "pictures|preset|engine|s|s/MP|× OpenCV|boxes|in common|recall"
    print(f"| {titles.replace('|', ' | ')} |\n|{' --- |' * 9}", flush=True)
    rows: list[Row] = []

    def add(found: list[Row], covered: float | None = None) -> None:
        rows.extend(row | {"recall": covered} for row in found)
        print("\n".join(map(as_line, rows[-len(found) :])), flush=True)

    for preset in PRESETS:
        images = timed[::SLOW] if preset == "quality" else timed
        covered = recall(_spread(samples, options.recall), preset) if options.recall else None
        add(compare("about 500×375", preset, images), covered)
    large = [mosaic(samples, 3, seed) for seed in range(options.mosaics)]
    if large:
        add(compare("mosaics, 1500×1125", "fast", large))
    add(compare("a mosaic, 4000×3000", "fast", [mosaic(samples, 8)], with_opencv=False))
    result = {"machine": machine(), "rows": rows}
    OUTPUT.write_text(json.dumps(result, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


def _spread(samples: Sequence[Sample], number: int) -> Sequence[Sample]:
    return samples[:: max(1, len(samples) // max(1, number))][:number]


if __name__ == "__main__":
    main()
