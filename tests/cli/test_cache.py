"""`frcnn cache` as a user runs it."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

import numpy as np
import pytest

from frcnn_cli.cache import records
from frcnn_cli.cache.proposals import described, save_proposals
from frcnn_cli.cache.runs import make_run_folder
from frcnn_cli.cache.store import Cache
from frcnn_cli.cli.app import main
from frcnn_cli.config import ProposalConfig

KEY = "ab" + "0" * 62


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Cache:
    monkeypatch.chdir(tmp_path)
    cache = Cache(Path(".frcnn"))
    made_by = described(ProposalConfig(), "opencv 4")
    save_proposals(cache, KEY, np.ones((3, 4), np.float32), made_by)
    records.save(cache, "splits", KEY, {"splits": {}})
    run = make_run_folder(cache, "first")
    (run / "metrics.jsonl").write_text('{"step": 1}\n{"step": 2}\n{"step": 2, "map": 0.25}\n')
    return cache


def run(monkeypatch, capsys, *words: str) -> tuple[int, dict, str]:
    monkeypatch.setattr(sys, "argv", ["frcnn", "cache", *words, "--json"])
    with pytest.raises(SystemExit) as caught:
        main()
    captured = capsys.readouterr()
    return int(caught.value.code or 0), json.loads(captured.out or "{}"), captured.err


def test_ls_lists_kinds_and_runs(cache, monkeypatch, capsys):
    code, printed, _ = run(monkeypatch, capsys, "ls")
    assert code == 0
    kinds = {each["kind"]: (each["entries"], each["made_by"]) for each in printed["kinds"]}
    assert kinds == {"proposals": (1, "fast, longest side 500, opencv 4"), "splits": (1, "")}
    (kept,) = printed["runs"]
    assert (kept["name"], kept["steps"], kept["map_val"]) == ("first", 2, 0.25)
    assert printed["bytes"] == sum(
        f.stat().st_size for f in cache.root.glob("*/*/*") if f.is_file()
    )


def test_ls_of_no_cache_makes_none(tmp_path, monkeypatch, capsys):
    code, printed, _ = run(monkeypatch, capsys, "ls", "--cache-dir", str(tmp_path / "none"))
    assert (code, printed["kinds"], printed["runs"], printed["bytes"]) == (0, [], [], 0)
    assert list(tmp_path.iterdir()) == []


def test_verify_names_what_is_damaged_and_repair_mends_it(cache, monkeypatch, capsys):
    path = cache.path("splits", KEY)
    path.write_bytes(b"0" + path.read_bytes()[1:])
    code, printed, lines = run(monkeypatch, capsys, "verify")
    assert (code, printed["whole"]) == (3, 2)
    assert [each["file"] for each in printed["damaged"]] == [str(path)]
    assert f"frcnn: failed: {path}: is damaged: its checksum does not match; frcnn cache" in lines
    code, printed, lines = run(monkeypatch, capsys, "verify", "--repair")
    assert (code, printed["mended"], lines) == (0, [str(path)], "")
    assert run(monkeypatch, capsys, "verify")[0] == 0


def test_gc_reports_what_it_would_free_and_frees_it(cache, monkeypatch, capsys):
    path = cache.path("proposals", KEY)
    os.utime(path, (0, 0))
    size = path.stat().st_size
    for words in (("--dry-run",), ()):
        assert path.exists()
        code, printed, _ = run(monkeypatch, capsys, "gc", *words)
        assert (code, printed["bytes"], len(printed["removed"])) == (0, size, 1)
    assert not path.exists()
    code, _, line = run(monkeypatch, capsys, "gc", "--run", "second")
    assert code == 1
    assert "there is no run 'second'; runs are: first" in line
    run(monkeypatch, capsys, "gc", "--run", "first")
    assert not (cache.root / "runs/first").exists()
