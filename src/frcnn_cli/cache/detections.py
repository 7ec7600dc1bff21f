"""Detections in the cache: one `.npz` payload per image."""

from __future__ import annotations

import io
import json

import msgspec
import numpy as np

from frcnn_cli.cache.store import Cache
from frcnn_cli.decoding import decode_json, load_archive
from frcnn_cli.errors import DataError
from frcnn_cli.records import DetectedImage, Detections, GroundTruthDiagnostics

KIND = "detections"


class _SavedDetections(msgspec.Struct):
    """Metadata of an entry, beside its arrays."""

    width: int
    height: int
    proposals: int
    seconds: dict[str, float]


def load_detections(cache: Cache, key: str, file: str) -> DetectedImage | None:
    """Returns the entry `key`; None if it is missing or, with a warning, damaged.

    Args:
        cache: where it is kept.
        key: of the entry, which depends on the content of the image and not on its name.
        file: the image, as it is named now.

    Raises:
        CacheError: the entry is there and may not be read.
    """
    return cache.load(KIND, key, lambda payload: detections_of(payload, file))


def detections_of(payload: bytes, file: str = "") -> DetectedImage | None:
    """Returns the detections in an entry's payload; None if it holds something else."""
    try:
        arrays = load_archive(payload)
        about = decode_json(str(arrays["about"]), _SavedDetections)
        return DetectedImage(
            file,
            about.width,
            about.height,
            about.proposals,
            Detections(arrays["boxes"], arrays["scores"], arrays["labels"]),
            about.seconds,
            GroundTruthDiagnostics(arrays["proposal_iou"], arrays["candidate_score"])
            if "proposal_iou" in arrays
            else None,
        )
    except (TypeError, ValueError, KeyError, MemoryError, DataError):
        return None  # a TypeError of arrays that do not hold numbers


def save_detections(cache: Cache, key: str, found: DetectedImage) -> None:
    """Writes the detections of an image, with its diagnostics where there are some.

    Args:
        cache: where they are kept.
        key: hex digits.
        found: the detections.

    Raises:
        CacheError: the cache cannot be written.
    """
    stream = io.BytesIO()
    about = _SavedDetections(found.width, found.height, found.proposals, dict(found.seconds))
    arrays = {
        "about": np.array(json.dumps(msgspec.structs.asdict(about))),
        "boxes": found.detections.boxes,
        "scores": found.detections.scores,
        "labels": found.detections.labels,
    }
    if found.diagnostics is not None:
        arrays["proposal_iou"] = found.diagnostics.proposal_iou
        arrays["candidate_score"] = found.diagnostics.candidate_score
    np.savez(stream, allow_pickle=False, **arrays)
    # Losing one to a power cut costs one image's detection, so it is not synced.
    cache.write(KIND, key, stream.getvalue(), durable=False)
