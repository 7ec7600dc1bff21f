"""`frcnn proposals` as a user runs it: in this process, and in real ones for signals."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import time
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from frcnn_cli.config import ProposalConfig
from frcnn_cli.data.images import load_image
from frcnn_cli.proposals.search import search
from support.commands import entries, frcnn, frcnn_process, start
from support.images import blobs
from support.waiting import wait_until


def proposals(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return frcnn(folder, "proposals", *arguments)


def make_images(folder: Path, n: int, width: int = 120, height: int = 90) -> Path:
    folder.mkdir()
    for i in range(n):
        Image.fromarray(blobs(width, height, seed=i)).save(folder / f"{i:02}.png")
    return folder


@pytest.mark.slow
def test_a_folder_as_written_in_the_readme(tmp_path):
    make_images(tmp_path / "images", 3)
    first = frcnn_process(tmp_path, "proposals", "images/")
    assert first.returncode == 0
    assert first.stdout == ""
    assert "3 images" in first.stderr
    assert len(entries(tmp_path, "proposals")) == 3
    second = json.loads(proposals(tmp_path, "images/", "--json").stdout)
    assert (second["cached"], second["searched"], second["failures"]) == (3, 0, [])
    assert second["cache"] == ".frcnn"
    assert second["boxes_median"] > 8


def test_bad_files_are_listed_and_the_rest_is_done(tmp_path):
    images = make_images(tmp_path / "images", 2)
    (images / "text.jpg").write_text("hello")
    Image.fromarray(blobs(300, 200)).save(images / "whole.jpg")
    (images / "cut.jpg").write_bytes((images / "whole.jpg").read_bytes()[:4000])
    done = proposals(tmp_path, "images", "--workers", "1")
    assert done.returncode == 3
    failed = [line for line in done.stderr.splitlines() if line.startswith("frcnn: failed: ")]
    assert len(failed) == 2
    assert "images/cut.jpg" in failed[0]
    assert "images/text.jpg" in failed[1]
    assert "Traceback" not in done.stderr
    assert len(entries(tmp_path, "proposals")) == 3


@pytest.mark.parametrize("name", ["missing", "empty", "empty/photo.jpg"])
def test_nothing_to_search_is_one_line(tmp_path, name):
    (tmp_path / "empty").mkdir()
    done = proposals(tmp_path, name)
    assert done.returncode == 1
    [line] = done.stderr.splitlines()
    assert line.startswith(f"frcnn: error: {name}: ")


def test_a_single_bad_image_is_an_error(tmp_path):
    (tmp_path / "text.jpg").write_text("hello")
    done = proposals(tmp_path, "text.jpg", "--quiet")
    assert done.returncode == 1
    [line] = done.stderr.splitlines()
    assert "text.jpg" in line


def test_flags_win_over_the_file_and_export_writes_what_was_asked(tmp_path):
    make_images(tmp_path / "images", 1)
    (tmp_path / "frcnn.toml").write_text("[proposals]\nmax_proposals = 5\nseed = 3\n")
    done = proposals(tmp_path, "images", "--export", "boxes.npz", "--max-proposals", "7", "--quiet")
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    image = load_image(tmp_path / "images" / "00.png")
    expected = search(image, ProposalConfig(seed=3))[:7]
    with np.load(tmp_path / "boxes.npz") as arrays:
        assert list(arrays) == ["images/00.png"]
        np.testing.assert_array_equal(arrays["images/00.png"], expected)


def test_an_export_of_another_kind_is_refused_before_the_search(tmp_path):
    make_images(tmp_path / "images", 1)
    done = proposals(tmp_path, "images", "--export", "boxes.csv")
    assert done.returncode == 1
    assert "boxes.csv: is neither .npz nor .json" in done.stderr
    assert not entries(tmp_path, "proposals")


@pytest.mark.parametrize("flag", ["--preset=best", "--max-side=-1", "--workers=x"])
def test_wrong_values_are_a_wrong_command_line(tmp_path, flag):
    assert proposals(tmp_path, "images", flag).returncode == 2


def start_and_wait_for_some(folder: Path) -> subprocess.Popen[str]:
    """Starts a search of 16 images and returns when the first two are in the cache."""
    make_images(folder / "images", 16, 320, 240)
    process = start(folder, "proposals", "images", "--workers", "2", new_session=True)
    wait_until(lambda: len(entries(folder, "proposals")) >= 2, process)
    return process


def group_is_gone(group: int) -> bool:
    """Whether no process of `group` runs."""
    try:
        os.killpg(group, 0)
    except ProcessLookupError:
        return True
    return False


@pytest.mark.slow
def test_kill_9_loses_only_what_was_in_work(tmp_path):
    process = start_and_wait_for_some(tmp_path)
    process.kill()
    process.communicate()
    wait_until(lambda: group_is_gone(process.pid))  # workers end with what started them
    kept = len(entries(tmp_path, "proposals"))
    assert 2 <= kept < 16
    resumed = json.loads(proposals(tmp_path, "images", "--json").stdout)
    assert (resumed["cached"], resumed["searched"]) == (kept, 16 - kept)


@pytest.mark.slow
def test_ctrl_c_is_130_and_reports_what_is_kept(tmp_path):
    process = start_and_wait_for_some(tmp_path)
    os.killpg(process.pid, signal.SIGINT)
    _, stderr = process.communicate()
    assert process.returncode == 130
    assert "Traceback" not in stderr
    assert stderr.splitlines()[-1] == (
        "frcnn: interrupted: the proposals so far are kept in .frcnn; the same command continues"
    )
    wait_until(lambda: group_is_gone(process.pid))
    assert len(entries(tmp_path, "proposals")) >= 2


@pytest.mark.slow
@pytest.mark.parametrize("seconds", [0.0, 0.2])
def test_ctrl_c_while_workers_start_prints_no_traceback(tmp_path, seconds):
    make_images(tmp_path / "images", 4, 320, 240)
    process = start(tmp_path, "proposals", "images", new_session=True)
    wait_until((tmp_path / ".frcnn").exists, process)  # made just before the workers are
    time.sleep(seconds)
    os.killpg(process.pid, signal.SIGINT)
    _, stderr = process.communicate()
    assert "Traceback" not in stderr


@pytest.mark.slow
def test_two_runs_on_one_cache_share_the_work(tmp_path):
    make_images(tmp_path / "images", 12, 320, 240)
    words = ("proposals", "images", "--json", "--workers", "1")
    runs = [start(tmp_path, *words) for _ in range(2)]
    printed = [json.loads(run.communicate()[0]) for run in runs]
    assert all(run["searched"] + run["cached"] == 12 for run in printed)
    assert sum(run["searched"] for run in printed) == 12
    assert len(entries(tmp_path, "proposals")) == 12
    again = json.loads(proposals(tmp_path, "images", "--json").stdout)
    assert (again["cached"], again["searched"], again["failures"]) == (12, 0, [])


@pytest.mark.slow
def test_an_image_over_its_time_is_listed_and_the_rest_is_done(tmp_path):
    images = make_images(tmp_path / "images", 2)
    noise = np.random.default_rng(0).integers(0, 256, (1500, 2000, 3), np.uint8)
    Image.fromarray(noise).save(images / "slow.png")
    done = proposals(tmp_path, "images", "--max-side", "0", "--time-limit", "3")
    assert done.returncode == 3
    [line] = [line for line in done.stderr.splitlines() if line.startswith("frcnn: failed: ")]
    assert "images/slow.png: its search took more than 3 s; lower --max-side" in line
    assert len(entries(tmp_path, "proposals")) == 2


@pytest.mark.slow
def test_a_report_on_a_data_set(scenes, tmp_path):
    done = proposals(tmp_path, str(scenes), "--report", "recall", "--split", "test", "--json")
    assert done.returncode == 0, done.stderr
    printed = json.loads(done.stdout)
    assert printed == json.loads((tmp_path / "recall" / "report.json").read_text())
    assert (printed["schema"], printed["split"]) == ("frcnn.proposal_report/1", "test")
    assert printed["photographs"] == 4
    assert 0.5 < printed["recall"]["0.50"] <= 1
    assert printed["recall"]["0.95"] < printed["recall"]["0.50"]
    with Image.open(tmp_path / "recall" / "report.png") as picture:
        assert picture.width == 1440


@pytest.mark.slow
def test_a_report_prints_a_table_that_fits_a_terminal(scenes, tmp_path):
    done = proposals(tmp_path, str(scenes), "--report", "recall", "--split", "test")
    lines = done.stdout.splitlines()
    assert any(line.split()[:2] == ["class", "objects"] for line in lines)
    assert "…" not in done.stdout
    table = [line for line in lines if line.startswith("  ")]
    assert max(map(len, table)) <= 80


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [(["a", "b"], "--report with 2 paths"), (["."], "holds no data set")],
)
def test_a_report_needs_one_data_set(tmp_path, arguments, problem):
    done = proposals(tmp_path, *arguments, "--report", "recall")
    assert done.returncode == 1
    assert problem in done.stderr
    assert not (tmp_path / "recall").exists()


@pytest.mark.slow
def test_an_export_is_imported_and_used_where_it_is_asked_for(scenes, tmp_path):
    images = [str(path) for path in sorted((scenes / "JPEGImages").glob("*.jpg"))[:3]]
    assert proposals(tmp_path, *images, "--export", "boxes.json").returncode == 0
    done = proposals(tmp_path, str(scenes), "--import", "boxes.json", "--imported", "mine")
    assert done.returncode == 0, done.stderr
    assert "Imported 3 images" in done.stderr
    assert "x1, y1, x2, y2 in pixel edges counted from 0, as its format says" in " ".join(
        done.stderr.split()
    )
    assert 'engine = "imported", imported = "mine"' in " ".join(done.stderr.split())
    (tmp_path / "frcnn.toml").write_text('[proposals]\nengine = "imported"\nimported = "mine"\n')
    printed = json.loads(proposals(tmp_path, *images, "--json").stdout)
    assert (printed["cached"], printed["searched"]) == (3, 0)
    other = next(path for path in (scenes / "JPEGImages").glob("*.jpg") if str(path) not in images)
    refused = proposals(tmp_path, str(other))
    assert refused.returncode == 1
    assert "no proposals were imported for it" in refused.stderr
