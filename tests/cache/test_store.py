"""Entries are whole or missing, whatever happens to the folder."""

from __future__ import annotations

import multiprocessing
from pathlib import Path

import pytest

from frcnn_cli.cache.store import Cache, atomic_file
from frcnn_cli.errors import CacheError

KEY = "ab" + "0" * 62


@pytest.fixture
def cache(tmp_path) -> Cache:
    return Cache(tmp_path / "cache")


@pytest.mark.parametrize("payload", [b"", b"x", b"\n# sha256 ", bytes(range(256)) * 500])
def test_what_is_written_is_read(cache, payload):
    cache.write("things", KEY, payload)
    assert cache.read("things", KEY) == payload


def test_a_missing_entry_is_none(cache):
    assert cache.read("things", KEY) is None
    assert not cache.root.exists()


def test_entries_are_sharded_and_kept_out_of_git(cache):
    cache.write("things", KEY, b"x")
    assert cache.path("things", KEY) == cache.root / "things" / "ab" / KEY
    assert (cache.root / ".gitignore").read_text() == "*\n"


def test_any_flipped_byte_is_noticed_and_named(cache, caplog):
    cache.write("things", KEY, b"payload")
    path = cache.path("things", KEY)
    whole = path.read_bytes()
    for position in range(len(whole)):
        damaged = bytearray(whole)
        damaged[position] ^= 4
        path.write_bytes(damaged)
        assert cache.read("things", KEY) is None
    assert str(path) in caplog.text


def test_any_truncation_is_noticed(cache):
    cache.write("things", KEY, b"payload")
    path = cache.path("things", KEY)
    whole = path.read_bytes()
    for length in range(len(whole)):
        path.write_bytes(whole[:length])
        assert cache.read("things", KEY) is None


def test_a_failed_write_leaves_the_old_file_and_no_other(tmp_path):
    path = tmp_path / "file"
    path.write_bytes(b"old")
    with pytest.raises(RuntimeError), atomic_file(path) as stream:
        stream.write(b"half of the ne")
        raise RuntimeError
    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]


def test_a_root_that_is_a_file_is_an_error_with_a_remedy(tmp_path):
    root = tmp_path / "photo.jpg"
    root.write_bytes(b"mine")
    for act in (Cache(root).require_writable, lambda: Cache(root).write("things", KEY, b"x")):
        with pytest.raises(CacheError, match=r"photo\.jpg.*cannot be written.*--cache-dir"):
            act()
    assert root.read_bytes() == b"mine"
    assert Cache(root).read("things", KEY) is None


def write_many(root: Path, payload: bytes) -> None:
    for _ in range(50):
        Cache(root).write("things", KEY, payload, durable=False)


def test_processes_that_write_one_entry_leave_it_whole(cache):
    payloads = [bytes([i]) * 100_000 for i in range(2)]
    context = multiprocessing.get_context("spawn")
    writers = [context.Process(target=write_many, args=(cache.root, p)) for p in payloads]
    for writer in writers:
        writer.start()
    seen = set()
    while any(writer.is_alive() for writer in writers):
        seen.add(cache.read("things", KEY))
    for writer in writers:
        writer.join()
    assert seen - {None} <= set(payloads)
    assert cache.read("things", KEY) in payloads
    assert [path.name for path in cache.path("things", KEY).parent.iterdir()] == [KEY]
