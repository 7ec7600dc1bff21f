"""Damage of every kind is found and named; what is whole stays."""

from __future__ import annotations

import shutil

import numpy as np
import pytest
import torch

from frcnn_cli.cache import records
from frcnn_cli.cache.checkpoints import CheckpointInfo, save_checkpoint, write_safetensors
from frcnn_cli.cache.detections import save_detections
from frcnn_cli.cache.inventory import cached_runs
from frcnn_cli.cache.proposals import save_proposals
from frcnn_cli.cache.runs import make_run_folder
from frcnn_cli.cache.store import Cache
from frcnn_cli.cache.verify import repair, verify
from frcnn_cli.config import InputConfig, ModelConfig
from frcnn_cli.records import DetectedImage, Detections, GroundTruthDiagnostics

DIAGNOSTICS = GroundTruthDiagnostics(np.zeros(0, np.float32), np.zeros(0, np.float32))
DETECTED = DetectedImage("a.jpg", 9, 9, 0, Detections.empty(), {}, DIAGNOSTICS)
KEYS = [f"{i:02x}" + "0" * 62 for i in range(3)]


@pytest.fixture
def cache(tmp_path) -> Cache:
    """Three entries of each kind and a run of three files."""
    cache = Cache(tmp_path / "cache")
    for key in KEYS:
        save_proposals(cache, key, np.ones((3, 4), np.float32))
        save_detections(cache, key, DETECTED)
        records.save(cache, "hashes", key, {"sha256": key})
        records.save(cache, "splits", key, {"splits": {}})
    run = make_run_folder(cache, "run")
    info = CheckpointInfo(ModelConfig(), ("dog",), InputConfig())
    save_checkpoint(run / "best.safetensors", {"weight": torch.arange(9.0)}, info)
    write_safetensors(run / "resume.safetensors", {"step": torch.tensor(3)})
    (run / "metrics.jsonl").write_text('{"step": 1}\n{"step": 2, "lo')
    (run / "config.json").write_text("{}")
    return cache


def wrong(cache: Cache) -> dict[str, str]:
    return {each.path.name: each.problem for each in verify(cache) if each.problem}


def test_whole_is_whole(cache):
    verdicts = list(verify(cache))
    assert len(verdicts) == 4 * len(KEYS) + 4
    assert not any(verdict.problem or verdict.later for verdict in verdicts)


@pytest.mark.parametrize("kind", ["proposals", "detections", "hashes", "splits"])
def test_an_entry_with_a_flipped_bit(cache, kind):
    path = cache.path(kind, KEYS[1])
    content = bytearray(path.read_bytes())
    content[5] ^= 1
    path.write_bytes(content)
    (verdict,) = [each for each in verify(cache) if each.problem]
    assert (verdict.path, verdict.reproducible) == (path, True)
    repair(verdict)
    assert not path.exists()
    assert wrong(cache) == {}


@pytest.mark.parametrize("kind", ["proposals", "detections", "hashes"])
def test_a_whole_entry_of_something_else(cache, kind):
    cache.write(kind, KEYS[0], b"[1, 2]")
    assert set(wrong(cache)) == {KEYS[0]}


def test_any_flipped_bit_of_a_checkpoint(cache):
    for kind in ("proposals", "detections", "hashes", "splits"):
        shutil.rmtree(cache.root / kind)  # so that only the run is read each time
    path = cache.root / "runs/run/best.safetensors"
    whole = path.read_bytes()
    name = whole.index(b"frcnn.sha256")
    for position in range(len(whole)):
        content = bytearray(whole)
        content[position] ^= 1
        path.write_bytes(content)
        if position not in range(name, name + 12):  # there nothing but the checksum is lost
            assert "best.safetensors" in wrong(cache), position


def test_a_damaged_checkpoint_is_set_aside_and_not_deleted(cache):
    path = cache.root / "runs/run/best.safetensors"
    path.write_bytes(path.read_bytes()[:-1])
    (verdict,) = [each for each in verify(cache) if each.problem]
    repair(verdict)
    assert path.with_name("best.safetensors.damaged").exists()
    assert wrong(cache) == {}


def test_a_checkpoint_of_a_later_version(cache):
    path = cache.root / "runs/run/best.safetensors"
    write_safetensors(path, {"w": torch.zeros(1)}, {"schema": "frcnn.checkpoint/2"})
    (verdict,) = [each for each in verify(cache) if each.problem]
    assert verdict.later
    assert "was written by a later frcnn (frcnn.checkpoint/2" in verdict.problem


@pytest.mark.parametrize("content", [b'{"step": 1\n', b'{"step": 1}\xff\n'])
@pytest.mark.parametrize("name", ["metrics.jsonl", "config.json"])
def test_a_damaged_text_of_a_run(cache, name, content):
    path = cache.root / "runs/run" / name
    path.write_bytes(content)
    assert set(wrong(cache)) == {name}
    assert [run.folder for run in cached_runs(cache)] == [path.parent]
