"""The four commands on a generated data set, as a user runs them: real processes."""

from __future__ import annotations

import json
import shlex
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch

from frcnn_cli.cache.checkpoints import load_checkpoint
from frcnn_cli.data.images import image_size
from frcnn_cli.data.scenes import CLASSES

SETTINGS = """
[input]
short_side = 96
long_side = 160

[train]
short_sides = [96]
long_side = 160
iterations = 4
epochs = 0.0
checkpoint_every = 2
validation_images = 2
"""

pytestmark = pytest.mark.slow


def frcnn(folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "frcnn_cli", *words],
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
        timeout=600,
    )


@pytest.fixture(scope="module")
def project(scenes: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder that holds a data set, its proposals and a run of four steps."""
    folder = tmp_path_factory.mktemp("project")
    shutil.copytree(scenes, folder / "scenes")
    (folder / "frcnn.toml").write_text(SETTINGS, encoding="utf-8")
    done = frcnn(folder, "train", "--split", "train", "--gpus", "0", "--json")
    assert done.returncode == 0, done.stderr
    result = json.loads(done.stdout)
    assert result["steps"] == 4
    assert 0 <= result["map_val"] <= 1
    assert (result["map_split"], 0 <= result["map"] <= 1) == ("val", True)
    assert result["failures"] == []
    return folder


def only_run(project: Path) -> Path:
    return project / ".frcnn" / "runs" / "efficientnet_lite0-1"


def test_a_run_leaves_what_it_should(project: Path) -> None:
    run = only_run(project)
    assert {file.name for file in run.iterdir()} == {
        "best.safetensors",
        "last.safetensors",
        "resume.safetensors",
        "config.json",
        "settings.toml",
        "command.txt",
        "metrics.jsonl",
        "curves.png",
    }
    _, info = load_checkpoint(run / "best.safetensors")
    assert info.classes == CLASSES
    assert info.input.short_side == 96
    rows = [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]
    assert [row["step"] for row in rows if "loss" in row] == [1, 2, 3, 4]
    assert [row["step"] for row in rows if "map" in row] == [2, 4]
    resolved = json.loads((run / "config.json").read_text())
    assert resolved["train"]["iterations"] == 4
    assert resolved["classes"] == list(CLASSES)
    assert image_size(run / "curves.png")[0] > 400


def test_the_command_in_the_folder_repeats_the_run_bit_for_bit(project: Path) -> None:
    run = only_run(project)
    words = shlex.split((run / "command.txt").read_text())
    assert words[0] == "frcnn"
    done = frcnn(project, *words[1:], "--run", "again")
    assert done.returncode == 0, done.stderr
    told = " ".join(done.stderr.split())
    assert "recipe default, but short_sides (96,), long_side 160, checkpoint_every 2" in told
    assert "photographs of val, which chose the checkpoint too" in told
    again = project / ".frcnn" / "runs" / "again"
    ours, theirs = (load_checkpoint(each / "last.safetensors")[0] for each in (again, run))
    assert all(torch.equal(ours[name], theirs[name]) for name in theirs)
    shutil.rmtree(again)


def test_eval_takes_the_newest_detector(project: Path) -> None:
    done = frcnn(project, "eval", "--out", "out/report.json", "--plot", "out/curves.png")
    assert done.returncode == 0, done.stderr
    report = json.loads((project / "out" / "report.json").read_text())
    assert report["schema"] == "frcnn.evaluation/1"
    assert image_size(project / "out" / "curves.png")[0] > 400
    assert report["images"] == 4
    assert set(report["classes"]) == set(CLASSES)
    assert "efficientnet_lite0-1" in done.stderr


def test_detect_writes_boxes_and_pictures(project: Path) -> None:
    photograph = sorted((project / "scenes" / "JPEGImages").iterdir())[0]
    (project / "photo.jpg").write_bytes(photograph.read_bytes())
    done = frcnn(
        project, "detect", "photo.jpg", "--out", "boxes.json", "--draw", "drawn", "--score", "0"
    )
    assert done.returncode == 0, done.stderr
    boxes = json.loads((project / "boxes.json").read_text())
    assert boxes["schema"] == "frcnn.detections/1"
    assert boxes["model"]["classes"] == list(CLASSES)
    (entry,) = boxes["images"]
    size = (entry["width"], entry["height"])
    assert size == image_size(photograph) == image_size(project / "drawn" / "photo.jpg")
    scores = [found["score"] for found in entry["detections"]]
    assert scores
    assert scores == sorted(scores, reverse=True)
    for found in entry["detections"]:
        x1, y1, x2, y2 = found["box"]
        assert 0 <= x1 < x2 <= size[0]
        assert 0 <= y1 < y2 <= size[1]
        assert found["label"] == CLASSES[found["category_id"] - 1]


def test_the_boxes_of_detect_score_as_the_detector_does(project: Path) -> None:
    tests = (project / "scenes/ImageSets/Main/test.txt").read_text().split()
    photographs = [f"scenes/JPEGImages/{name}.jpg" for name in tests]
    frcnn(project, "detect", *photographs, "--out", "test.json", "--score", "0.01")
    from_file = frcnn(project, "eval", "--detections", "test.json", "--json")
    from_model = frcnn(project, "eval", "--json")
    ours, theirs = (json.loads(done.stdout) for done in (from_file, from_model))
    assert ours["map"] == pytest.approx(theirs["map"], abs=1e-6)


def test_a_report_tells_what_the_detector_saw(project: Path) -> None:
    done = frcnn(project, "eval", "--report", "report")
    assert done.returncode == 0, done.stderr
    assert "report in report/index.html" in done.stderr
    figures = json.loads((project / "report" / "report.json").read_text())
    assert list(figures["misses"]) == [
        "no_proposal",
        "confused",
        "localisation",
        "suppressed",
        "low_score",
    ]
    page = (project / "report" / "index.html").read_text(encoding="utf-8")
    assert "eval --report report" in page
    assert "efficientnet_lite0-1" in page


def test_two_detectors_side_by_side(project: Path) -> None:
    frcnn(project, "detect", "scenes/JPEGImages", "--out", "all.json", "--score", "0.01")
    tests = (project / "scenes/ImageSets/Main/test.txt").read_text().split()
    boxes = json.loads((project / "all.json").read_text())
    boxes["images"] = [each for each in boxes["images"] if Path(each["file"]).stem in tests]
    (project / "a.json").write_text(json.dumps(boxes))
    for each in boxes["images"]:
        each["detections"] = each["detections"][1:]
    (project / "b.json").write_text(json.dumps(boxes))
    words = ("--compare", "a.json", "b.json")
    done = frcnn(project, "eval", *words, "--json", "--report", "ab", "--out", "ab.json")
    assert done.returncode == 0, done.stderr
    result = json.loads(done.stdout)
    assert result["difference"] == pytest.approx(result["map_b"] - result["map_a"])
    assert result == json.loads((project / "ab.json").read_text())
    assert result == json.loads((project / "ab" / "report.json").read_text())
    refused = frcnn(project, "eval", *words, "--plot", "curves.png")
    assert refused.returncode == 2


def test_boxes_on_stdout_are_nothing_but_json(project: Path) -> None:
    done = frcnn(project, "detect", "scenes/JPEGImages", "--out", "-")
    assert len(json.loads(done.stdout)["images"]) == 14


def test_a_killed_run_goes_on_as_if_it_had_not_been(project: Path) -> None:
    """`kill -9` behind the first checkpoint; the end has the bits of the run that never stopped."""
    killed = project / ".frcnn" / "runs" / "killed"
    words = [sys.executable, "-m", "frcnn_cli", "train", "--split", "train", "--run", "killed"]
    with subprocess.Popen(words, cwd=project, stderr=subprocess.DEVNULL) as process:
        while not (killed / "resume.safetensors").exists() and process.poll() is None:
            time.sleep(0.01)
        process.kill()
    done = frcnn(project, "train", "--run", "killed", "--resume", "--gpus", "0")
    assert done.returncode == 0, done.stderr
    ours, theirs = (
        load_checkpoint(run / "last.safetensors")[0] for run in (killed, only_run(project))
    )
    assert ours.keys() == theirs.keys()
    assert all(torch.equal(ours[name], theirs[name]) for name in ours)
    rows = [json.loads(row) for row in (killed / "metrics.jsonl").read_text().splitlines()]
    assert [row["step"] for row in rows if "loss" in row] == [1, 2, 3, 4]
    longer = frcnn(project, "train", "--run", "killed", "--resume", "--iterations", "5", "--json")
    assert json.loads(longer.stdout)["steps"] == 5, longer.stderr
    shutil.rmtree(killed)


def test_ctrl_c_keeps_the_steps_so_far(project: Path) -> None:
    run = project / ".frcnn" / "runs" / "stopped"
    words = ["train", "--split", "train", "--run", "stopped", "--iterations", "1000"]
    with subprocess.Popen(
        [sys.executable, "-m", "frcnn_cli", *words, "--checkpoint-every", "1000"],
        cwd=project,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        while not (run / "metrics.jsonl").exists() or not (run / "metrics.jsonl").stat().st_size:
            time.sleep(0.01)
            assert process.poll() is None
        process.send_signal(signal.SIGINT)
        _, told = process.communicate(timeout=120)
    assert process.returncode == 130
    assert "frcnn train --resume --run stopped" in told
    assert "Traceback" not in told
    steps = [json.loads(row)["step"] for row in (run / "metrics.jsonl").read_text().splitlines()]
    _, info = load_checkpoint(run / "last.safetensors")
    assert info.training["step"] == steps[-1] < 1000
    shutil.rmtree(run)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["train", "nowhere"], "nowhere: does not exist"),
        (["train", "--split", "holdout"], "has no split 'holdout'; use one of"),
        (["train", "--run", "efficientnet_lite0-1"], "exists; go on with --resume"),
        (["train", "--weights", "gone.pth"], "gone.pth: there is no such file"),
        (["train", "--finetune-from", "conv9"], "finetune_from is 'conv9'; use all or one of"),
        (["train", "--resume", "--run", "other"], "no run to resume"),
        (["train", "--resume", "--lr", "0.1"], "--lr is given with --resume"),
        (["train", "--resume", "--config", "frcnn.toml"], "--config is given with --resume"),
        (["eval", "--checkpoint", "gone.safetensors"], "gone.safetensors: there is no such file"),
        (["eval", "--split", "holdout"], "has no split 'holdout'"),
        (["eval", "--detections", "frcnn.toml"], "frcnn.toml: "),
        (["detect", "nowhere.jpg"], "nowhere.jpg: does not exist"),
        (["detect", "frcnn.toml"], "frcnn.toml: is not a photograph"),
        (["detect", "scenes/JPEGImages", "--out", "/proc/boxes.json"], "/proc/boxes.json"),
    ],
)
def test_errors_are_one_line(project: Path, words: list[str], message: str) -> None:
    done = frcnn(project, *words)
    assert done.returncode == 1, done.stderr
    assert message in done.stderr
    assert "Traceback" not in done.stderr
    assert len([line for line in done.stderr.splitlines() if "frcnn: " in line]) == 1
    assert [run.name for run in (project / ".frcnn/runs").iterdir()] == ["efficientnet_lite0-1"]


def test_pictures_of_the_same_name_do_not_replace_each_other(project: Path, tmp_path: Path) -> None:
    photograph = sorted((project / "scenes" / "JPEGImages").iterdir())[0]
    for folder in ("a", "b"):
        (tmp_path / folder).mkdir()
        shutil.copy(photograph, tmp_path / folder / "photo.jpg")
    checkpoint = only_run(project) / "best.safetensors"
    done = frcnn(tmp_path, "detect", "a", "b", "--draw", "drawn", "--checkpoint", str(checkpoint))
    assert done.returncode == 0, done.stderr
    assert {file.name for file in (tmp_path / "drawn").iterdir()} == {"photo.jpg", "photo-2.jpg"}


def test_pictures_are_never_written_over_photographs(project: Path, tmp_path: Path) -> None:
    photograph = sorted((project / "scenes" / "JPEGImages").iterdir())[0]
    shutil.copy(photograph, tmp_path / "photo.jpg")
    checkpoint = only_run(project) / "best.safetensors"
    done = frcnn(tmp_path, "detect", "photo.jpg", "--draw", ".", "--checkpoint", str(checkpoint))
    assert done.returncode == 1
    assert "name another folder with --draw" in done.stderr
    assert (tmp_path / "photo.jpg").read_bytes() == photograph.read_bytes()


def test_the_demo_touches_no_folder_of_the_users(tmp_path: Path) -> None:
    (tmp_path / "mine.txt").write_text("mine")
    done = frcnn(tmp_path, "demo", "--dir", ".")
    assert done.returncode == 1
    assert "name a new folder with --dir" in done.stderr
    assert [file.name for file in tmp_path.iterdir()] == ["mine.txt"]


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU here")
@pytest.mark.parametrize("command", ["train", "eval", "detect photo.jpg"])
def test_a_gpu_that_is_not_there(project: Path, command: str) -> None:
    done = frcnn(project, *command.split(), "--gpus", "1")
    assert done.returncode == 1
    assert done.stderr.strip() == (
        "frcnn: error: --gpus 1, but torch sees no GPU here; use --gpus 0"
    )


def test_a_loss_that_is_not_finite_is_kept_and_gone_through_again(project: Path) -> None:
    run = project / ".frcnn" / "runs" / "steep"
    done = frcnn(project, "train", "--split", "train", "--run", "steep", "--lr", "1e30")
    assert done.returncode == 1, done.stderr
    assert "loss is" in done.stderr
    assert "photographs" in done.stderr
    (kept,) = run.glob("replay-*.safetensors")
    assert f"frcnn train --replay {kept.relative_to(project)}" in done.stderr
    again = frcnn(project, "train", "--replay", str(kept), "--json")
    found = json.loads(again.stdout)
    assert found["findings"], again.stderr
    assert len(found["losses"]) == 2
    shutil.rmtree(run)


def test_a_run_ends_when_the_map_no_longer_rises(project: Path) -> None:
    """At a rate of nothing every evaluation is the same."""
    run = project / ".frcnn" / "runs" / "patient"
    words = ["--iterations", "9", "--lr", "1e-30", "--eval-every", "1", "--patience", "2"]
    done = frcnn(project, "train", "--split", "train", "--run", "patient", "--tensorboard", *words)
    assert done.returncode == 0, done.stderr
    rows = [json.loads(row) for row in (run / "metrics.jsonl").read_text().splitlines()]
    assert [row["step"] for row in rows if "map" in row] == [1, 2, 3]
    assert rows[-1]["step"] == 3
    assert any((run / "tensorboard").iterdir())
    assert "before step 9: no better mAP in 2 evaluations (--patience)" in done.stdout + done.stderr
    shutil.rmtree(run)


def test_a_dry_run_checks_and_stops(scenes: Path, tmp_path: Path) -> None:
    shutil.copytree(scenes, tmp_path / "scenes")
    (tmp_path / "frcnn.toml").write_text(SETTINGS, encoding="utf-8")
    name = (tmp_path / "scenes/ImageSets/Main/trainval.txt").read_text().split()[0]
    xml = tmp_path / f"scenes/Annotations/{name}.xml"
    xml.write_text(xml.read_text().replace("<xmax>", "<xmax>-", 1))
    words = ["train", "--split", "trainval", "--gpus", "0", "--dry-run"]
    done = frcnn(tmp_path, *words, "--json")
    assert done.returncode == 3, done.stderr
    found = json.loads(done.stdout)
    assert found["photographs"] == 9
    assert [each["photograph"] for each in found["problems"]] == [xml.stem]
    assert (found["steps"], found["regions"]["photographs"] <= 2) == (4, True)
    assert min(found["seconds"], found["memory"], found["disk"]) > 0
    assert not (tmp_path / ".frcnn/runs").exists()


def test_bad_photographs_are_listed_and_the_others_trained_on(scenes: Path, tmp_path: Path) -> None:
    shutil.copytree(scenes, tmp_path / "scenes")
    (tmp_path / "frcnn.toml").write_text(SETTINGS, encoding="utf-8")
    names = (tmp_path / "scenes/ImageSets/Main/trainval.txt").read_text().split()
    cut, text, outside, alone = names[:4]
    photographs, annotations = tmp_path / "scenes/JPEGImages", tmp_path / "scenes/Annotations"
    whole = (photographs / f"{cut}.jpg").read_bytes()
    (photographs / f"{cut}.jpg").write_bytes(whole[: len(whole) // 2])
    (photographs / f"{text}.jpg").write_text("not a photograph")
    xml = annotations / f"{outside}.xml"
    xml.write_text(xml.read_text().replace("<xmax>", "<xmax>-"))
    (photographs / f"{alone}.jpg").unlink()

    done = frcnn(tmp_path, "train", "--iterations", "1", "--split", "trainval", "--gpus", "0")

    assert done.returncode == 3, done.stderr
    failed = [line for line in done.stderr.splitlines() if line.startswith("frcnn: failed: ")]
    assert len(failed) == 4
    for name in (cut, text, outside, alone):
        assert sum(name in line for line in failed) == 1
    assert "Traceback" not in done.stderr


def test_classes_that_the_checkpoint_does_not_know(project: Path, tmp_path: Path) -> None:
    shutil.copytree(project / "scenes", tmp_path / "scenes")
    for xml in (tmp_path / "scenes/Annotations").iterdir():
        xml.write_text(xml.read_text().replace("<name>mug</name>", "<name>teapot</name>"))
    checkpoint = only_run(project) / "best.safetensors"
    done = frcnn(tmp_path, "eval", "--checkpoint", str(checkpoint))
    assert done.returncode == 1
    assert "does not know the class 'teapot'" in done.stderr
