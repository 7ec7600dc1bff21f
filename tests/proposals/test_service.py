"""Whole folders: cached, searched by many processes, with images that fail."""

from __future__ import annotations

import json
import multiprocessing
import os
import signal
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from frcnn_cli.cache.keys import cached_content_hash
from frcnn_cli.cache.proposals import imported_key, save_proposals
from frcnn_cli.cache.store import Cache
from frcnn_cli.config import ProposalConfig
from frcnn_cli.data.images import load_image
from frcnn_cli.errors import CacheError, ConfigError, DataError, ImageError, ProposalError
from frcnn_cli.proposals import fast
from frcnn_cli.proposals import service as pipeline
from frcnn_cli.proposals import worker as region_search
from frcnn_cli.proposals.interchange.export import check_export, export_proposals
from frcnn_cli.proposals.search import search
from frcnn_cli.proposals.service import ensure_proposals, proposals_for
from frcnn_cli.proposals.worker import Found, SearchTask, search_once
from frcnn_cli.runtime.process_pool import run_all
from support.images import blobs, flat

CONFIG = ProposalConfig()


@pytest.fixture
def cache(tmp_path) -> Cache:
    return Cache(tmp_path / "cache")


@pytest.fixture
def image_files(tmp_path) -> list[Path]:
    paths = [tmp_path / f"{name}.png" for name in "dbca"]
    for seed, path in enumerate(paths):
        Image.fromarray(blobs(seed=seed)).save(path)
    return paths


@pytest.fixture(autouse=True)
def no_processes(monkeypatch) -> None:
    """Searches in this process, which takes a fraction of a second; see `processes`."""

    def serially(work, tasks, workers):
        for task in tasks:
            yield task, work.function(task)

    monkeypatch.setattr(pipeline, "run_all", serially)


@pytest.fixture
def processes(no_processes, monkeypatch) -> None:
    """Searches in worker processes, as commands do."""
    monkeypatch.setattr(pipeline, "run_all", run_all)


def entries(cache: Cache) -> dict[str, bytes]:
    return {p.name: p.read_bytes() for p in cache.root.glob("proposals/*/*")}


@pytest.mark.slow
def test_any_number_of_workers_gives_the_same_bytes(processes, image_files, tmp_path):
    one, two = Cache(tmp_path / "one"), Cache(tmp_path / "two")
    ensure_proposals(image_files, CONFIG, one, workers=1)
    ensure_proposals(image_files, CONFIG, two, workers=2)
    assert len(entries(one)) == 4
    assert entries(one) == entries(two)


def test_boxes_are_those_of_the_search(image_files, cache):
    run = ensure_proposals(image_files, CONFIG, cache, workers=2)
    for path in image_files:
        expected = search(load_image(path), CONFIG)
        np.testing.assert_array_equal(run.proposals_for(path), expected)
        assert run.counts[path] == len(expected)
    assert list(run.counts) == image_files
    assert (run.searched, run.cached) == (4, 0)


def test_a_second_call_searches_nothing(image_files, cache, monkeypatch):
    ensure_proposals(image_files, CONFIG, cache, workers=2)
    monkeypatch.setattr(pipeline, "run_all", pytest.fail)
    run = ensure_proposals(image_files, CONFIG, cache)
    assert (run.searched, run.cached) == (0, 4)
    assert list(run.counts) == image_files


def test_force_searches_again(image_files, cache):
    ensure_proposals(image_files[:1], CONFIG, cache)
    run = ensure_proposals(image_files[:1], CONFIG, cache, force=True)
    assert (run.searched, run.cached) == (1, 0)


def test_only_what_is_missing_is_searched(image_files, cache):
    ensure_proposals(image_files[:2], CONFIG, cache)
    run = ensure_proposals(image_files, CONFIG, cache, workers=2)
    assert (run.searched, run.cached) == (2, 2)


def test_a_changed_image_is_searched_and_a_renamed_one_is_not(image_files, cache, tmp_path):
    ensure_proposals(image_files[:1], CONFIG, cache)
    renamed = image_files[0].rename(tmp_path / "elsewhere.png")
    assert ensure_proposals([renamed], CONFIG, cache).cached == 1
    Image.fromarray(blobs(seed=99)).save(renamed)
    assert ensure_proposals([renamed], CONFIG, cache).searched == 1


@pytest.mark.parametrize("damage", [lambda b: b[:-40], lambda b: b[:300] + b"?" + b[301:]])
def test_a_damaged_entry_is_named_and_made_again(image_files, cache, damage, caplog):
    path = image_files[0]
    expected = ensure_proposals([path], CONFIG, cache).proposals_for(path)
    [entry] = cache.root.glob("proposals/*/*")
    entry.write_bytes(damage(entry.read_bytes()))
    run = ensure_proposals([path], CONFIG, cache)
    assert run.searched == 1
    assert str(entry) in caplog.text
    np.testing.assert_array_equal(run.proposals_for(path), expected)


def test_max_proposals_cuts_what_is_read_and_not_what_is_kept(image_files, cache):
    path = image_files[0]
    everything = ensure_proposals([path], ProposalConfig(max_proposals=0), cache)
    few = ensure_proposals([path], ProposalConfig(max_proposals=3), cache)
    assert few.cached == 1
    assert few.counts[path] == 3
    np.testing.assert_array_equal(few.proposals_for(path), everything.proposals_for(path)[:3])


def test_an_image_that_fails_is_listed_and_the_rest_go_on(image_files, cache, tmp_path):
    text, gone = tmp_path / "text.jpg", tmp_path / "gone.jpg"
    text.write_text("hello")
    run = ensure_proposals([gone, *image_files[:2], text], CONFIG, cache, workers=2)
    assert list(run.failures) == [gone, text]
    assert list(run.counts) == image_files[:2]
    assert "text.jpg" in str(run.failures[text])
    with pytest.raises(ImageError):
        run.proposals_for(text)
    with pytest.raises(DataError):
        run.proposals_for(gone)


def search_or_misbehave(task):
    """Stands in for the search of images that crash OpenCV, or hang it."""
    if task.path.name == "c.png":
        os.kill(os.getpid(), signal.SIGSEGV)
    if task.path.name == "b.png":
        time.sleep(3600)
    return search_once(task)


@pytest.mark.slow
def test_an_image_that_kills_its_worker_or_hangs_is_listed(
    processes, image_files, cache, monkeypatch
):
    monkeypatch.setattr(pipeline, "search_once", search_or_misbehave)
    run = ensure_proposals(image_files, replace(CONFIG, time_limit=3), cache, workers=2)
    dead, hung = run.failures[image_files[2]], run.failures[image_files[1]]
    assert "c.png: the process that searched it died (SIGSEGV)" in str(dead)
    assert "b.png: its search took more than 3 s" in str(hung)
    assert list(run.counts) == [image_files[0], image_files[3]]
    assert not multiprocessing.active_children()


@pytest.mark.slow
@pytest.mark.parametrize(("index", "reason"), [(2, "SIGSEGV"), (1, "more than 1 s")])
def test_a_single_image_cannot_end_or_hang_the_process(
    processes, image_files, cache, monkeypatch, index, reason
):
    monkeypatch.setattr(pipeline, "search_once", search_or_misbehave)
    path = image_files[index]
    run = ensure_proposals([path], replace(CONFIG, time_limit=1), cache)
    assert reason in str(run.failures[path])


def test_what_another_process_has_searched_meanwhile_is_not_searched_again(
    image_files, cache, monkeypatch
):
    [path] = image_files[:1]
    run = ensure_proposals([path], CONFIG, cache)
    [entry] = cache.root.glob("proposals/*/*")
    task = SearchTask(path, entry.name, CONFIG, cache)
    monkeypatch.setattr(region_search, "search", pytest.fail)
    assert search_once(task) == Found(run.counts[path], searched=False)


def test_an_unexpected_exception_is_that_images_failure(image_files, cache, monkeypatch):
    def explode(image, config, file):
        raise ZeroDivisionError("by zero")

    monkeypatch.setattr(region_search, "search", explode)
    cache.require_writable()
    failure = search_once(SearchTask(image_files[0], "abc", CONFIG, cache))
    assert "d.png: ZeroDivisionError: by zero" in str(failure)


def test_a_failed_search_names_its_image(image_files, cache, monkeypatch):
    def fail(image, preset):
        raise ProposalError("OpenCV gave up")

    monkeypatch.setattr(fast, "search", fail)
    with pytest.raises(ProposalError, match=r"d\.png: OpenCV gave up"):
        proposals_for(image_files[0], CONFIG, cache)


def test_a_cache_that_cannot_be_written_fails_before_the_search(image_files, tmp_path):
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(CacheError, match="--cache-dir"):
        ensure_proposals(image_files, CONFIG, Cache(tmp_path / "file"))


@pytest.mark.parametrize("copies", [1, 2])
def test_a_flat_image_gets_windows_and_a_warning(tmp_path, cache, caplog, copies):
    paths = [tmp_path / f"{i}.png" for i in range(copies)]
    for i, path in enumerate(paths):
        Image.fromarray(flat()[i:]).save(path)
    run = ensure_proposals(paths, CONFIG, cache, workers=2)
    assert len(run.proposals_for(paths[0])) > 8
    assert caplog.text.count("sliding windows are added") == copies


def test_progress_counts_every_image_once(image_files, cache, tmp_path):
    reported = []
    ensure_proposals(image_files[:1], CONFIG, cache)
    paths = [*image_files, tmp_path / "gone.jpg"]
    ensure_proposals(paths, CONFIG, cache, workers=2, progress=lambda *now: reported.append(now))
    assert reported == [(pipeline.STEP, done, 5) for done in range(6)]


def test_proposals_for_takes_a_decoded_image(image_files, cache, monkeypatch):
    image = load_image(image_files[0])
    monkeypatch.setattr(pipeline, "load_image", pytest.fail)
    first = proposals_for(image_files[0], CONFIG, cache, image)
    np.testing.assert_array_equal(first, proposals_for(image_files[0], CONFIG, cache))


def test_an_entry_that_is_lost_is_made_again_when_read(image_files, cache):
    run = ensure_proposals(image_files[:1], CONFIG, cache)
    [entry] = cache.root.glob("proposals/*/*")
    entry.unlink()
    assert len(run.proposals_for(image_files[0])) == run.counts[image_files[0]]
    assert entry.exists()


def test_export_is_one_array_an_image_and_repeatable(image_files, cache, tmp_path):
    gone = tmp_path / "gone.jpg"
    run = ensure_proposals([*image_files, gone], ProposalConfig(max_proposals=9), cache, workers=2)
    for name in ("one.npz", "two.npz"):
        export_proposals(run, [*image_files, gone], tmp_path / name)
    assert (tmp_path / "one.npz").read_bytes() == (tmp_path / "two.npz").read_bytes()
    with np.load(tmp_path / "one.npz") as arrays:
        assert sorted(arrays) == sorted(str(path) for path in image_files)
        for path in image_files:
            np.testing.assert_array_equal(arrays[str(path)], run.proposals_for(path))


def test_export_as_json(image_files, cache, tmp_path):
    run = ensure_proposals(image_files, ProposalConfig(max_proposals=9), cache, workers=2)
    export_proposals(run, image_files, tmp_path / "boxes.json")
    written = json.loads((tmp_path / "boxes.json").read_text())
    assert written["schema"] == "frcnn.proposal_boxes/1"
    assert [each["file"] for each in written["images"]] == [str(path) for path in image_files]
    for each, path in zip(written["images"], image_files, strict=True):
        np.testing.assert_allclose(each["boxes"], run.proposals_for(path), atol=0.005)


def test_imported_proposals_are_used_only_where_asked_for(image_files, cache):
    imported = replace(CONFIG, engine="imported", imported="mine")
    boxes = np.array([[1, 2, 30, 40], [0, 0, 120, 90]], np.float32)
    cache.require_writable()
    key = imported_key(cached_content_hash(cache, image_files[0]), "mine")
    save_proposals(cache, key, boxes)
    run = ensure_proposals(image_files[:2], imported, cache, force=True)
    np.testing.assert_array_equal(run.proposals_for(image_files[0]), boxes)
    assert (run.cached, run.searched) == (1, 0)
    assert 'under the name "mine"; import them' in str(run.failures[image_files[1]])
    np.testing.assert_array_equal(proposals_for(image_files[0], imported, cache), boxes)
    for other in (replace(imported, imported="default"), image_files[1]):
        asked = (image_files[0], other) if isinstance(other, ProposalConfig) else (other, imported)
        with pytest.raises(ProposalError, match="no proposals were imported"):
            proposals_for(*asked, cache)
    assert len(proposals_for(image_files[0], CONFIG, cache)) > 2


@pytest.mark.parametrize(("name", "problem"), [("a.csv", "neither"), ("no/a.npz", "missing")])
def test_an_export_that_cannot_be_written_is_refused_early(tmp_path, name, problem):
    with pytest.raises(ConfigError, match=problem):
        check_export(tmp_path / name)
