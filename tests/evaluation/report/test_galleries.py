"""Captions of the pictures of errors."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from frcnn_cli.evaluation.analysis import Analysis
from frcnn_cli.evaluation.analysis.error_types import Evidence
from frcnn_cli.evaluation.metrics.voc import match_split
from frcnn_cli.evaluation.report.galleries import ErrorGalleries
from frcnn_cli.records import Detections, Sample, as_boxes

CLASSES = ("cat", "dog")
CAT, DOG, FAR = (0, 0, 100, 100), (120, 0, 220, 100), (250, 200, 300, 240)


def objects(path: Path, *found: tuple[int, tuple[int, ...]]) -> Sample:
    Image.new("RGB", (320, 240), "grey").save(path)
    return Sample(
        path.stem,
        path,
        as_boxes([box for _, box in found]),
        np.array([label for label, _ in found], np.int64),
        np.zeros(len(found), np.bool_),
    )


def detections(*found: tuple[int, float, tuple[int, ...]]) -> Detections:
    return Detections(
        as_boxes([box for _, _, box in found]),
        np.array([score for _, score, _ in found], np.float32),
        np.array([label for label, _, _ in found], np.int64),
    )


def captions(samples, found, evidence=None):
    analysis = Analysis(match_split(samples, found, CLASSES), "voc07", evidence, resamples=10)
    # All are in use: the last detection of each of these is right.
    assert analysis.operating_point.score == pytest.approx(0.5)
    misses, wrong = ErrorGalleries(analysis, samples).galleries()
    return [
        {each.name: [(one.title, one.detail) for one in each.pictures] for each in galleries}
        for galleries in (misses, wrong)
    ]


def many(tmp_path, count=12):
    """Images with a cat that is found at 0.5, so that everything above is in use."""
    samples = [objects(tmp_path / f"sure{i}.png", (1, CAT)) for i in range(count)]
    return samples, {each.image_id: detections((1, 0.5, CAT)) for each in samples}


def test_false_wrong(tmp_path):
    samples, found = many(tmp_path)
    samples += [
        objects(tmp_path / "confused.png", (1, CAT)),
        objects(tmp_path / "loose.png", (1, CAT)),
        objects(tmp_path / "twice.png", (1, CAT)),
        objects(tmp_path / "nothing.png", (1, CAT)),
        objects(tmp_path / "nearly.png", (1, CAT)),
    ]
    found |= {
        "confused": detections((2, 0.93, (0, 0, 100, 81))),
        "loose": detections((1, 0.9, (0, 0, 100, 49.99))),
        "twice": detections((1, 0.97, CAT), (1, 0.8, (0, 0, 100, 90))),
        "nothing": detections((1, 0.7, FAR)),
        "nearly": detections((2, 0.6, (0, 0, 100, 30))),
    }
    misses, wrong = captions(samples, found)
    assert wrong == {
        "Background": [
            ("cat 0.70", "nothing that is annotated lies there"),
            ("dog 0.60", "IoU 0.30 with the cat, hardly meant for it"),
        ],
        "Another class": [("dog 0.93", "is cat; IoU 0.81")],
        "Badly placed": [("cat 0.90", "IoU 0.49 with the cat")],
        "Duplicate": [("cat 0.80", "the cat is found already at 0.97; IoU 0.90")],
    }
    assert misses["Another class"] == [("cat, 100 × 100 px", "is called dog 0.93; IoU 0.81")]
    assert misses["Badly placed"] == [("cat, 100 × 100 px", "found loosely as cat 0.90; IoU 0.49")]
    assert misses["No box, reason unknown"] == [("cat, 100 × 100 px", "no box lies on it")] * 2


def test_misses_of_a_detector_that_was_watched(tmp_path):
    samples, found = many(tmp_path)
    samples.append(objects(tmp_path / "missed.png", (1, CAT), (2, DOG), (1, FAR), (2, FAR)))
    sure = [1.0] * 12
    evidence = Evidence(
        proposal_iou=np.array([*sure, 0.499, 0.8, 0.7, 0.6]),
        candidate_score=np.array([*sure, 0.0, 0.61, 0.031, 0.0]),
        score_threshold=0.01,
    )
    misses, wrong = captions(samples, found, evidence)
    assert wrong == {}
    assert misses == {
        "No proposal": [("cat, 100 × 100 px", "best proposal: IoU 0.49")],
        "Suppressed": [("dog, 100 × 100 px", "its best box scored 0.61 and was suppressed")],
        "Below the threshold": [
            ("cat, 50 × 40 px", "its best box scored 0.031"),
            ("dog, 50 × 40 px", "no RoI kept a box on it"),
        ],
    }


def test_no_more_pictures_than_a_page_should_hold(tmp_path):
    samples, found = many(tmp_path, 30)
    samples += [objects(tmp_path / f"missed{i}.png", (2, DOG)) for i in range(12)]
    misses, _ = captions(samples, found)
    assert len(misses["No box, reason unknown"]) == 8
