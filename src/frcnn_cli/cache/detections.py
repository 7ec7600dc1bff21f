"""Detections in the cache: one `.npz` payload per image."""

from __future__ import annotations

import io
import zipfile

import numpy as np

from frcnn_cli.cache.store import Cache
from frcnn_cli.errors import DataError
from frcnn_cli.records import Detections, ObjectEvidence

KIND = "detections"


def load_detections(cache: Cache, key: str) -> tuple[Detections, ObjectEvidence] | None:
    """Returns what lies under `key`; None if it is missing or, with a warning, damaged.

    Raises:
        CacheError: the entry is there and may not be read.
    """
    return cache.load(KIND, key, detections_of)


def detections_of(payload: bytes) -> tuple[Detections, ObjectEvidence] | None:
    """Returns what an entry's payload holds; None if it holds something else."""
    try:
        with np.load(io.BytesIO(payload), allow_pickle=False) as arrays:
            return (
                Detections(arrays["boxes"], arrays["scores"], arrays["labels"]),
                ObjectEvidence(arrays["proposal_iou"], arrays["candidate_score"]),
            )
    except (TypeError, ValueError, KeyError, EOFError, zipfile.BadZipFile, DataError):
        return None  # a TypeError where the payload is one array, not an archive


def save_detections(cache: Cache, key: str, found: Detections, evidence: ObjectEvidence) -> None:
    """Writes the detections of an image, and the evidence about its objects.

    Raises:
        CacheError: the cache cannot be written.
    """
    stream = io.BytesIO()
    np.savez(
        stream,
        boxes=found.boxes,
        scores=found.scores,
        labels=found.labels,
        proposal_iou=evidence.proposal_iou,
        candidate_score=evidence.candidate_score,
    )
    # Losing one to a power cut costs the detection of one image, so it is not synced.
    cache.write(KIND, key, stream.getvalue(), durable=False)
