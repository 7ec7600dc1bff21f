"""Boxes come back bit for bit, and nothing but boxes does."""

from __future__ import annotations

import io

import numpy as np
import pytest

from frcnn_cli.cache.proposals import load_proposals, save_proposals
from frcnn_cli.cache.store import Cache
from frcnn_cli.records import as_boxes

KEY = "cd" + "0" * 62


@pytest.fixture
def cache(tmp_path) -> Cache:
    return Cache(tmp_path / "cache")


@pytest.mark.parametrize("n", [0, 1, 3000])
def test_round_trip(cache, n):
    boxes = np.random.default_rng(0).random((n, 4)).astype(np.float32)
    save_proposals(cache, KEY, boxes)
    loaded = load_proposals(cache, KEY)
    assert loaded is not None
    assert loaded.dtype == np.float32
    np.testing.assert_array_equal(loaded, boxes)


def test_missing_is_none(cache):
    assert load_proposals(cache, KEY) is None


def as_npy(array) -> bytes:
    stream = io.BytesIO()
    np.save(stream, array)
    return stream.getvalue()


@pytest.mark.parametrize(
    "payload",
    [
        b"",
        b"no array",
        as_npy(np.zeros((3, 5), np.float32)),
        as_npy(np.zeros((3, 4))),
        as_npy(np.full((3, 4), np.nan, np.float32)),
        as_npy(np.array([{"a": "pickle"}], dtype=object)),
    ],
)
def test_a_payload_without_boxes_is_treated_as_missing(cache, payload, caplog):
    cache.write("proposals", KEY, payload)
    assert load_proposals(cache, KEY) is None
    assert KEY in caplog.text


def test_an_entry_opens_with_numpy(cache):
    save_proposals(cache, KEY, as_boxes([[0, 0, 1, 1]]))
    np.testing.assert_array_equal(np.load(cache.path("proposals", KEY)), [[0, 0, 1, 1]])
