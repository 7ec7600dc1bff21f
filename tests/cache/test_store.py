"""Entries are whole or missing, whatever happens to the folder."""

from __future__ import annotations

import hashlib
import multiprocessing
import os
import time
from pathlib import Path

import pytest

from frcnn_cli.cache.store import Cache, read_about, read_entry
from frcnn_cli.errors import CacheError
from frcnn_cli.files import atomic_file

KEY = "ab" + "0" * 62


@pytest.fixture
def cache(tmp_path) -> Cache:
    return Cache(tmp_path / "cache")


@pytest.mark.parametrize("payload", [b"", b"x", b"\n# frcnn.cache/2 ", bytes(range(256)) * 500])
def test_what_is_written_is_read(cache, payload):
    cache.write("things", KEY, payload)
    assert cache.load("things", KEY, bytes) == payload


def test_a_missing_entry_is_none(cache):
    assert cache.load("things", KEY, bytes) is None
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
        assert cache.load("things", KEY, bytes) is None
    assert str(path) in caplog.text


def test_any_truncation_is_noticed(cache):
    cache.write("things", KEY, b"payload")
    path = cache.path("things", KEY)
    whole = path.read_bytes()
    for length in range(len(whole)):
        path.write_bytes(whole[:length])
        assert cache.load("things", KEY, bytes) is None


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
    assert Cache(root).load("things", KEY, bytes) is None


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
        seen.add(cache.load("things", KEY, bytes))
    for writer in writers:
        writer.join()
    assert seen - {None} <= set(payloads)
    assert cache.load("things", KEY, bytes) in payloads
    assert [path.name for path in cache.path("things", KEY).parent.iterdir()] == [KEY]


def test_the_description_of_an_entry_is_read_back(cache):
    cache.write("things", KEY, b"payload", about={"made by": "me"})
    path = cache.path("things", KEY)
    assert read_entry(path) == b"payload"
    assert read_about(path) == {"made by": "me"}
    cache.write("things", KEY, b"payload")
    assert read_about(path) == {}


def test_a_long_word_about_an_entry_is_read_from_its_end(cache):
    about = {"made by": "x" * 5000}
    cache.write("things", KEY, bytes(5000), about=about)
    assert read_about(cache.path("things", KEY)) == about


def entry_of_format(number: int) -> bytes:
    body = b"what a later version keeps\n# frcnn.cache/%d or other words " % number
    return body + hashlib.sha256(body).hexdigest().encode() + b"\n"


def test_an_entry_of_a_later_version_is_neither_used_nor_written_over(cache):
    path = cache.path("things", KEY)
    path.parent.mkdir(parents=True)
    path.write_bytes(entry_of_format(3))
    for act in (lambda: cache.load("things", KEY, bytes), lambda: cache.write("things", KEY, b"x")):
        with pytest.raises(CacheError, match=rf"{KEY}: was written by a later frcnn.*; upgrade"):
            act()
    assert path.read_bytes() == entry_of_format(3)


def test_no_damage_is_taken_for_a_later_version(cache):
    cache.write("things", KEY, b"payload", about={"by": "me"})
    path = cache.path("things", KEY)
    whole = path.read_bytes()
    for position in range(len(whole)):
        for bit in range(8):
            damaged = bytearray(whole)
            damaged[position] ^= 1 << bit
            path.write_bytes(damaged)
            assert cache.load("things", KEY, bytes) is None


def test_a_full_disk_loses_nothing_and_is_reported_in_a_line(small_disk):
    cache = Cache(small_disk / "cache")
    cache.write("things", KEY, b"kept")
    written = {}
    with pytest.raises(CacheError) as caught:
        for i in range(100):
            key = f"{i:064x}"
            cache.write("things", key, bytes([i]) * 50_000)
            written[key] = bytes([i]) * 50_000
    assert "No space left on device" in str(caught.value)
    assert "make room" in str(caught.value)
    with pytest.raises(CacheError, match="No space left"):
        cache.write("things", KEY, b"new" * 100_000)
    assert cache.load("things", KEY, bytes) == b"kept"
    assert written
    assert all(cache.load("things", key, bytes) == payload for key, payload in written.items())
    assert not list(cache.root.rglob("*.tmp"))


def test_a_read_only_cache_serves_what_it_has(small_disk, remount_read_only):
    cache = Cache(small_disk / "cache")
    cache.write("things", KEY, b"kept")
    os.utime(cache.path("things", KEY), (0, 0))
    remount_read_only(small_disk)
    assert cache.load("things", KEY, bytes) == b"kept"
    for act in (cache.require_writable, lambda: cache.write("things", "cd" * 32, b"x")):
        with pytest.raises(CacheError, match=r"Read-only file system.*--cache-dir"):
            act()


def test_reading_notes_the_day_of_use(cache):
    cache.write("things", KEY, b"x")
    path = cache.path("things", KEY)
    os.utime(path, (0, 0))
    lately = time.time() - 3600
    cache.load("things", KEY, bytes)
    assert path.stat().st_mtime > lately
    os.utime(path, (lately, lately))
    cache.load("things", KEY, bytes)
    assert path.stat().st_mtime == pytest.approx(lately)
