"""Keys follow contents and parameters, and nothing else."""

from __future__ import annotations

import hashlib
import os
from dataclasses import replace

import pytest

from frcnn_cli.cache import keys
from frcnn_cli.cache.keys import cached_content_hash, content_hash, key_of
from frcnn_cli.cache.proposals import proposal_key
from frcnn_cli.cache.store import Cache
from frcnn_cli.config import ProposalConfig
from frcnn_cli.errors import DataError

LONG_AGO = 1_000_000_000


@pytest.fixture
def cache(tmp_path) -> Cache:
    return Cache(tmp_path / "cache")


@pytest.fixture
def image(tmp_path):
    path = tmp_path / "a photo.jpg"
    path.write_bytes(b"first")
    os.utime(path, (LONG_AGO, LONG_AGO))
    return path


def test_content_hash_is_sha256(image):
    assert content_hash(image) == hashlib.sha256(b"first").hexdigest()


def test_key_of_does_not_depend_on_the_order_of_its_parts():
    assert key_of(a=1, b="x") == key_of(b="x", a=1)
    assert key_of(a=1, b="x") != key_of(a="1", b="x")


def test_what_decides_the_boxes_is_part_of_the_key():
    base = ProposalConfig()
    key = proposal_key("content", base, "opencv 5")
    assert proposal_key("content", replace(base, max_proposals=5), "opencv 5") == key
    assert proposal_key("content", replace(base, time_limit=5), "opencv 5") == key
    others = {
        proposal_key("other", base, "opencv 5"),
        proposal_key("content", base, "opencv 6"),
        proposal_key("content", replace(base, preset="quality"), "opencv 5"),
        proposal_key("content", replace(base, max_side=499), "opencv 5"),
        proposal_key("content", replace(base, seed=1), "opencv 5"),
    }
    assert len(others | {key}) == 6


def test_an_unchanged_file_is_read_once(cache, image, monkeypatch):
    expected = cached_content_hash(cache, image)
    monkeypatch.setattr(keys, "content_hash", pytest.fail)
    assert cached_content_hash(cache, image) == expected


def test_a_changed_file_is_read_again(cache, image):
    cached_content_hash(cache, image)
    image.write_bytes(b"later")
    os.utime(image, (LONG_AGO, LONG_AGO))  # same size, same modification time
    assert cached_content_hash(cache, image) == hashlib.sha256(b"later").hexdigest()


def test_a_file_written_a_moment_ago_is_not_noted(cache, tmp_path):
    path = tmp_path / "new.jpg"
    path.write_bytes(b"new")
    cached_content_hash(cache, path)
    assert not cache.root.exists()


def test_a_cache_that_cannot_be_written_costs_only_time(image, tmp_path):
    root = tmp_path / "file"
    root.write_bytes(b"")
    assert cached_content_hash(Cache(root), image) == content_hash(image)


def test_a_missing_file_is_named(cache, tmp_path):
    with pytest.raises(DataError, match=r"gone\.jpg: cannot be read"):
        cached_content_hash(cache, tmp_path / "gone.jpg")
