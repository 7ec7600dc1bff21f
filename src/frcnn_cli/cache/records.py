"""Small JSON objects in the cache, such as the images of a split."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from frcnn_cli.cache.store import Cache
from frcnn_cli.decoding import decode_json


def load(cache: Cache, kind: str, key: str) -> dict[str, Any] | None:
    """Returns the record `key` of `kind`; None if it is missing or, with a warning, damaged.

    Args:
        cache: where it is kept.
        kind: the folder of the cache, such as "splits".
        key: hex digits.

    Raises:
        CacheError: the record is there and may not be read.
    """
    return cache.load(kind, key, record_of)


def record_of(payload: bytes) -> dict[str, Any] | None:
    """Returns the record of an entry's payload; None if it holds something else."""
    try:
        return decode_json(payload, dict[str, Any])
    except ValueError:
        return None


def save(
    cache: Cache, kind: str, key: str, record: Mapping[str, Any], *, durable: bool = True
) -> None:
    """Writes the record `key` of `kind`.

    Args:
        cache: where it is kept.
        kind: the folder of the cache, such as "splits".
        key: hex digits.
        record: JSON values by name.
        durable: see `atomic_file`.

    Raises:
        CacheError: the cache cannot be written.
    """
    payload = json.dumps(record, sort_keys=True, allow_nan=False).encode()
    cache.write(kind, key, payload, durable=durable)
