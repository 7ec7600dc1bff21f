"""Region proposals in the cache: one `.npy` payload a photograph.

The whole ordered list is kept; how many of it are used is decided when it is read.
"""

from __future__ import annotations

import dataclasses
import io
import logging

import numpy as np

from frcnn_cli.cache.keys import key_of
from frcnn_cli.cache.store import Cache
from frcnn_cli.config import ProposalConfig
from frcnn_cli.records import FloatArray

_LOGGER = logging.getLogger(__name__)
_KIND = "proposals"
_NOT_IN_THE_KEY = ("max_proposals", "time_limit", "imported")
"""Settings that do not decide what a search finds."""


def proposal_key(content: str, config: ProposalConfig, library: str) -> str:
    """Returns the key of a photograph's proposals.

    Args:
        content: the hash of the photograph's bytes.
        config: how its regions are searched.
        library: name and version of the code that searches.
    """
    parameters = dataclasses.asdict(config)
    for name in _NOT_IN_THE_KEY:
        del parameters[name]
    return key_of(content=content, library=library, **parameters)


def imported_key(content: str, name: str) -> str:
    """Returns the key of a photograph's proposals that were not searched but imported.

    No search has such a key, so they are used where they are asked for and nowhere else.

    Args:
        content: the hash of the photograph's bytes.
        name: what the user called them.
    """
    return key_of(content=content, imported=name)


def has_proposals(cache: Cache, key: str) -> bool:
    """Returns whether whole proposals lie under `key`."""
    return load_proposals(cache, key) is not None


def load_proposals(cache: Cache, key: str) -> FloatArray | None:
    """Returns the boxes (N, 4), best first; None if they are missing or, with a warning, damaged.

    Raises:
        CacheError: the entry is there and may not be read.
    """
    payload = cache.read(_KIND, key)
    if payload is None:
        return None
    try:
        boxes = np.load(io.BytesIO(payload), allow_pickle=False)
    except (ValueError, EOFError):
        boxes = None
    if not _is_boxes(boxes):
        _LOGGER.warning("%s holds no boxes and is made again", cache.path(_KIND, key))
        return None
    result: FloatArray = boxes
    return result


def save_proposals(cache: Cache, key: str, boxes: FloatArray) -> None:
    """Writes the boxes (N, 4) of a photograph, best first.

    Raises:
        CacheError: the cache cannot be written.
    """
    stream = io.BytesIO()
    np.save(stream, np.ascontiguousarray(boxes, dtype=np.float32), allow_pickle=False)
    cache.write(_KIND, key, stream.getvalue())


def _is_boxes(boxes: object) -> bool:
    return (
        isinstance(boxes, np.ndarray)
        and boxes.dtype == np.float32
        and boxes.ndim == 2
        and boxes.shape[1] == 4
        and bool(np.isfinite(boxes).all())
    )
