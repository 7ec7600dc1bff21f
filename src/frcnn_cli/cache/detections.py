"""What a detector found in a photograph, in the cache: one `.npz` payload a photograph."""

from __future__ import annotations

import io
import logging
import zipfile

import numpy as np

from frcnn_cli.cache.store import Cache
from frcnn_cli.errors import DataError
from frcnn_cli.records import Detections, ObjectEvidence

_LOGGER = logging.getLogger(__name__)
KIND = "detections"


def load_detections(cache: Cache, key: str) -> tuple[Detections, ObjectEvidence] | None:
    """Returns what lies under `key`; None if it is missing or, with a warning, damaged.

    Raises:
        CacheError: the entry is there and may not be read.
    """
    payload = cache.read(KIND, key)
    if payload is None:
        return None
    found = detections_of(payload)
    if found is None:
        _LOGGER.warning("%s holds no detections and is made again", cache.path(KIND, key))
    return found


def detections_of(payload: bytes) -> tuple[Detections, ObjectEvidence] | None:
    """Returns what an entry's payload holds; None if it holds something else."""
    try:
        with np.load(io.BytesIO(payload), allow_pickle=False) as arrays:
            return (
                Detections(arrays["boxes"], arrays["scores"], arrays["labels"]),
                ObjectEvidence(arrays["proposal_iou"], arrays["candidate_score"]),
            )
    except (TypeError, ValueError, KeyError, EOFError, zipfile.BadZipFile, DataError):
        return None  # a TypeError where the payload is one array and no archive


def save_detections(cache: Cache, key: str, found: Detections, evidence: ObjectEvidence) -> None:
    """Writes what was found in a photograph, and what was seen of its objects.

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
    # Losing one to a power cut costs one photograph's detection, so it is not synced.
    cache.write(KIND, key, stream.getvalue(), durable=False)
