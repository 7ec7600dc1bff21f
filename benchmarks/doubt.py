"""Measures how well the doubt of `frcnn data --next` predicts the mistakes of a detector.

    python benchmarks/doubt.py DATA [--split test] [--every 4] [--checkpoint FILE]

A mistake is a box from 0.5 on that is wrong, or an object without a right box from there on. Give
images that the detector was not trained on. Detections are not kept; proposals are, in .frcnn.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch
from scipy.stats import spearmanr

from frcnn_cli.cache.store import Cache
from frcnn_cli.config import DetectConfig, ProposalConfig
from frcnn_cli.data.open import open_dataset, read_split
from frcnn_cli.detection.detector import BUNDLED, DetectionJob, LoadedDetector
from frcnn_cli.detection.doubt import doubt
from frcnn_cli.detection.loop import detect_samples
from frcnn_cli.evaluation.metrics.matching import MatchOutcome
from frcnn_cli.evaluation.metrics.voc import MatchedSplit, match_split

KEPT = 0.5


def mistakes(matched: MatchedSplit) -> npt.NDArray[np.int64]:
    """Returns the number of mistakes in each image (N,)."""
    images = len(matched.objects.image_ids)
    wrong = np.zeros(images, np.int64)
    found = np.zeros(len(matched.objects.image), bool)
    for each in matched.matches:
        kept = matched.detections.scores[each.detections] >= KEPT
        false = each.detections[kept & (each.outcomes == MatchOutcome.FALSE_POSITIVE)]
        wrong += np.bincount(matched.detections.image[false], minlength=images)
        found[each.objects[kept & (each.outcomes == MatchOutcome.TRUE_POSITIVE)]] = True
    missed = matched.objects.image[~found & ~matched.objects.difficult]
    return wrong + np.bincount(missed, minlength=images)


def main() -> None:
    """Detects, matches and prints."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("data", type=Path)
    parser.add_argument("--split", default="test")
    parser.add_argument("--every", type=int, default=1)
    parser.add_argument("--checkpoint", type=Path, default=BUNDLED)
    given = parser.parse_args()

    cache = Cache(Path(".frcnn"))
    detector = LoadedDetector.load(given.checkpoint, torch.device("cpu"))
    classes = detector.info.classes
    dataset = open_dataset(given.data, cache).with_classes(classes)
    samples = read_split(dataset, given.split)[0][:: given.every]
    job = DetectionJob(detector, cache, ProposalConfig(), DetectConfig())
    found, _, _ = detect_samples(samples, job)
    made = mistakes(match_split(samples, found, classes))
    expected = np.array([doubt(found[sample.image_id].scores) for sample in samples])
    objects = np.array([(~sample.difficult).sum() for sample in samples])
    most = np.argsort(-expected, kind="stable")[: max(1, len(samples) // 4)]
    print(f"{len(samples)} images: {expected.sum():.0f} mistakes expected, {made.sum()} made")
    print(f"per image {made.mean():.2f}; in the quarter of most doubt {made[most].mean():.2f}")
    print(f"rank correlation of mistakes with doubt {spearmanr(expected, made).statistic:.3f}")
    print(f"with the number of objects {spearmanr(objects, made).statistic:.3f}")


if __name__ == "__main__":
    main()
