"""Times the scoring of detections against a plain loop over them, and checks that both agree.

    python benchmarks/evaluation.py [--images 4952] [--repeats 3]

The split is generated: as many images and objects as VOC 2007 test, and in each image 100
detections over all 20 classes, the usual cap; then 100 of each class. Some detections are objects
moved a little, the rest lie anywhere. The time is from boxes in memory, by image, to 20 APs. The
plain loop is that of the devkit and of its Python ports: one detection after another, NumPy over
the objects of its image. The table is printed, and written with all figures to `evaluation.json`
next to this file.
"""

from __future__ import annotations

import argparse
import json
import platform
import resource
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from processor import processor

from frcnn_cli import __version__
from frcnn_cli.evaluation.metrics.voc import evaluate
from frcnn_cli.records import Detections, Sample

OUTPUT = Path(__file__).with_suffix(".json")
CLASSES = tuple(f"class {k}" for k in range(1, 21))
SIZE = (500, 375)
OBJECTS = 3.0
"""Objects of an image, as in VOC 2007 test with the difficult ones."""


def make_samples(images: int, rng: np.random.Generator) -> list[Sample]:
    """Returns images with 1 or more objects each."""
    samples = []
    for i in range(images):
        n = 1 + rng.poisson(OBJECTS - 1)
        labels = rng.integers(1, len(CLASSES) + 1, n)
        difficult = rng.random(n) < 0.2
        samples.append(Sample(f"{i:06}", Path(f"{i:06}.jpg"), boxes(n, rng), labels, difficult))
    return samples


def make_detections(
    samples: Sequence[Sample], each: int, rng: np.random.Generator
) -> dict[str, Detections]:
    """Returns `each` detections an image: its objects, up to three times, and noise."""
    found = {}
    for sample in samples:
        meant = rng.integers(0, len(sample.labels), min(3 * len(sample.labels), each))
        moved = sample.boxes[meant] + rng.normal(0, 8, (len(meant), 4)).astype(np.float32)
        labels = rng.integers(1, len(CLASSES) + 1, each)
        labels[: len(meant)] = sample.labels[meant]
        moved = np.sort(moved.reshape(-1, 2, 2), axis=1).reshape(-1, 4)
        scores = np.sort(rng.random(each, dtype=np.float32))[::-1]
        found[sample.image_id] = Detections(
            np.concatenate([moved, boxes(each - len(meant), rng)]), scores.copy(), labels
        )
    return found


def boxes(n: int, rng: np.random.Generator) -> np.ndarray[Any, np.dtype[np.float32]]:
    """Returns boxes (n, 4) anywhere in an image."""
    edges = rng.random((n, 2, 2)) * SIZE
    return np.sort(edges, axis=1).reshape(-1, 4).astype(np.float32)


def plain_loop(samples: Sequence[Sample], detections: Mapping[str, Detections]) -> list[float]:
    """Returns the 11-point AP of each class, one detection after another."""
    return [_ap_of(label, samples, detections) for label in range(1, len(CLASSES) + 1)]


def _ap_of(label: int, samples: Sequence[Sample], detections: Mapping[str, Detections]) -> float:
    truth, objects = {}, 0
    for sample in samples:
        mine = sample.labels == label
        difficult = sample.difficult[mine]
        truth[sample.image_id] = (sample.boxes[mine].astype(float), difficult, [False] * mine.sum())
        objects += int((~difficult).sum())
    rows = []
    for image_id, found in detections.items():
        mine = found.labels == label
        rows += [
            (score, image_id, box)
            for score, box in zip(found.scores[mine], found.boxes[mine].astype(float), strict=True)
        ]
    rows.sort(key=lambda row: -row[0])
    tp, fp = np.zeros(len(rows)), np.zeros(len(rows))
    for d, (_, image_id, box) in enumerate(rows):
        there, difficult, taken = truth[image_id]
        best = -1.0
        if len(there):
            width = np.maximum(np.minimum(there[:, 2], box[2]) - np.maximum(there[:, 0], box[0]), 0)
            height = np.maximum(
                np.minimum(there[:, 3], box[3]) - np.maximum(there[:, 1], box[1]), 0
            )
            inner = width * height
            areas = (there[:, 2] - there[:, 0]) * (there[:, 3] - there[:, 1])
            overlaps = inner / (areas + (box[2] - box[0]) * (box[3] - box[1]) - inner)
            nearest = int(np.argmax(overlaps))
            best = overlaps[nearest]
        if best < 0.5:
            fp[d] = 1
        elif not difficult[nearest]:
            if taken[nearest]:
                fp[d] = 1
            else:
                tp[d], taken[nearest] = 1, True
    tp, fp = np.cumsum(tp), np.cumsum(fp)
    precision, recall = tp / np.maximum(tp + fp, 1e-9), tp / objects
    levels = [precision[recall >= i / 10] for i in range(11)]
    return float(np.mean([each.max() if each.size else 0.0 for each in levels]))


def machine() -> dict[str, str]:
    """Returns the device and the versions that the figures belong to."""
    return {
        "device": processor(),
        "python": platform.python_version(),
        "frcnn": __version__,
        "numpy": np.__version__,
    }


def main() -> None:
    """Runs both and writes it down."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--images", type=int, default=4952)
    parser.add_argument("--repeats", type=int, default=3, help="of ours; the median counts")
    options = parser.parse_args()
    rng = np.random.default_rng(0)
    samples = make_samples(options.images, rng)
    caps = {"a photograph": 100, "a class and photograph": 100 * len(CLASSES)}
    results = []
    print("| detections | in all | objects | ours s | plain loop s | times | peak MB |")
    print("|" + "---|" * 7)
    for name, each in caps.items():
        detections = make_detections(samples, each, rng)
        seconds = []
        for _ in range(options.repeats):
            began = time.perf_counter()
            ours = evaluate(samples, detections, CLASSES)
            seconds.append(time.perf_counter() - began)
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e3  # kB on Linux
        row: dict[str, Any] = {
            "detections": f"100 {name}",
            "in all": each * len(samples),
            "objects": sum(len(sample.labels) for sample in samples),
            "ours": float(np.median(seconds)),
            "peak MB": peak,
        }
        began = time.perf_counter()
        theirs = plain_loop(samples, detections)
        row["plain loop"] = time.perf_counter() - began
        row["times"] = row["plain loop"] / row["ours"]
        np.testing.assert_allclose([c.voc07 for c in ours.classes], theirs, atol=1e-9)
        results.append(row)
        print(
            f"| {row['detections']} | {row['in all']:,} | {row['objects']:,} | {row['ours']:.3f} "
            f"| {row['plain loop']:.1f} | {row['times']:.0f} | {peak:.0f} |",
            flush=True,
        )
    document = {"machine": machine(), "photographs": len(samples), "results": results}
    OUTPUT.write_text(json.dumps(document, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
