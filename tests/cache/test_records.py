"""JSON records."""

from __future__ import annotations

import pytest

from frcnn_cli.cache import records
from frcnn_cli.cache.store import Cache

KEY = "ef" + "0" * 62


def test_round_trip(tmp_path):
    cache = Cache(tmp_path)
    records.save(cache, "splits", KEY, {"test": ["ä.jpg"], "seed": 0})
    assert records.load(cache, "splits", KEY) == {"test": ["ä.jpg"], "seed": 0}


def test_missing_is_none(tmp_path):
    assert records.load(Cache(tmp_path), "splits", KEY) is None


@pytest.mark.parametrize("payload", [b"", b"{", b"[1]", b"\xff"])
def test_a_damaged_record_is_treated_as_missing(tmp_path, caplog, payload):
    cache = Cache(tmp_path)
    cache.write("splits", KEY, payload)
    assert records.load(cache, "splits", KEY) is None
    assert KEY in caplog.text
