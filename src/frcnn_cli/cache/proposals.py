"""Region proposals in the cache: one `.npy` payload per image.

The whole ordered list is kept; how many of it are used is decided when it is read.
"""

from __future__ import annotations

import dataclasses
import io
from collections.abc import Mapping
from typing import Any

import numpy as np

from frcnn_cli.cache.keys import key_of
from frcnn_cli.cache.store import Cache
from frcnn_cli.config import ProposalConfig
from frcnn_cli.decoding import load_array
from frcnn_cli.records import FloatArray

KIND = "proposals"
_NOT_IN_THE_KEY = ("time_limit", "imported")
"""Settings that do not change what a search finds; `max_proposals` does with tiles alone."""


def proposal_key(content: str, config: ProposalConfig, library: str) -> str:
    """Returns the key of an image's proposals.

    Args:
        content: the hash of the image's bytes.
        config: how its regions are searched.
        library: name and version of the code that searches.
    """
    return key_of(content=content, **described(config, library))


def described(config: ProposalConfig, library: str) -> dict[str, Any]:
    """Returns the settings that determine the boxes of an image, as JSON values."""
    parameters = dataclasses.asdict(config)
    for name in _NOT_IN_THE_KEY if config.tiles else (*_NOT_IN_THE_KEY, "max_proposals", "tiles"):
        del parameters[name]
    return {"library": library, **parameters}


def imported_key(content: str, name: str) -> str:
    """Returns the key of an image's proposals that were not searched but imported.

    No search has such a key, so they are used only where they are asked for by name.

    Args:
        content: the hash of the image's bytes.
        name: what the user called them.
    """
    return key_of(content=content, imported=name)


def load_proposals(cache: Cache, key: str) -> FloatArray | None:
    """Returns the boxes (N, 4), best first; None if they are missing or, with a warning, damaged.

    Raises:
        CacheError: the entry is there and may not be read.
    """
    return cache.load(KIND, key, boxes_of)


def save_proposals(
    cache: Cache, key: str, boxes: FloatArray, made_by: Mapping[str, Any] | None = None
) -> None:
    """Writes the boxes (N, 4) of an image, best first.

    Args:
        cache: where they go.
        key: from `proposal_key`.
        boxes: (N, 4) float32.
        made_by: from `described`, for the maintenance of the cache.

    Raises:
        CacheError: the cache cannot be written.
    """
    stream = io.BytesIO()
    np.save(stream, np.ascontiguousarray(boxes, dtype=np.float32), allow_pickle=False)
    cache.write(KIND, key, stream.getvalue(), about=made_by)


def boxes_of(payload: bytes) -> FloatArray | None:
    """Returns the boxes (N, 4) of an entry's payload; None if it holds something else."""
    try:
        boxes = load_array(payload)
    except (ValueError, MemoryError):
        return None
    holds_boxes = (
        boxes.dtype == np.float32
        and boxes.ndim == 2
        and boxes.shape[1] == 4
        and bool(np.isfinite(boxes).all())
    )
    return boxes if holds_boxes else None
