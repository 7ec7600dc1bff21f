"""`frcnn train` on a generated data set."""

from __future__ import annotations

import base64
import json
import shlex
import shutil
import signal
from pathlib import Path

import pytest
import torch

from frcnn_cli.cache.checkpoints import load_checkpoint
from frcnn_cli.data.images import image_size
from frcnn_cli.data.scenes import CLASSES
from support.commands import SETTINGS, frcnn, has_content, metrics, start, trained_run
from support.waiting import wait_until

pytestmark = pytest.mark.slow


def test_a_run_leaves_what_it_should(project: Path) -> None:
    run = trained_run(project)
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
    rows = metrics(project)
    assert [row["step"] for row in rows if "loss" in row] == [1, 2, 3, 4]
    assert [row["step"] for row in rows if "map" in row] == [2, 4]
    resolved = json.loads((run / "config.json").read_text())
    assert resolved["train"]["schedule"]["iterations"] == 4
    assert resolved["classes"] == list(CLASSES)
    assert image_size(run / "curves.png")[0] > 400


def test_the_command_in_the_folder_repeats_the_run_bit_for_bit(project: Path) -> None:
    run = trained_run(project)
    words = shlex.split((run / "command.txt").read_text())
    assert words[0] == "frcnn"
    done = frcnn(project, *words[1:], "--run", "again")
    assert done.returncode == 0, done.stderr
    stderr = " ".join(done.stderr.split())
    assert "recipe default, but short_sides (96,), long_side 160, checkpoint_every 2" in stderr
    assert "images of val, which selected the checkpoint too" in stderr
    again = project / ".frcnn" / "runs" / "again"
    ours, theirs = (load_checkpoint(each / "last.safetensors")[0] for each in (again, run))
    assert all(torch.equal(ours[name], theirs[name]) for name in theirs)
    shutil.rmtree(again)


def test_data_without_a_test_split(scenes: Path, tmp_path: Path) -> None:
    """Trains on train, scores val, and the next command does so too; eval knows what was seen."""
    shutil.copytree(scenes, tmp_path / "scenes")
    for name in ("test", "trainval"):
        (tmp_path / f"scenes/ImageSets/Main/{name}.txt").unlink()
    (tmp_path / "my settings.toml").write_text(SETTINGS)
    words = ["train", "scenes", "--gpus", "0", "--iterations", "1", "--tiles", "300"]
    done = frcnn(
        tmp_path, *words, "--cache-dir", "my cache", "--config", "my settings.toml", "--json"
    )
    assert done.returncode == 0, done.stderr
    result = json.loads(done.stdout)
    assert "--tiles 300" in result["next"]
    assert (result["map_split"], result["map_val"] is None) == ("val", False)
    words = ["eval", "scenes", "--gpus", "0", "--config", "my settings.toml"]
    done = frcnn(tmp_path, *words, "--checkpoint", result["checkpoint"])
    assert "images are seen in tiles of 300 pixels, as in training" in done.stderr
    following = shlex.split(result["next"])[1:]
    scored = json.loads(frcnn(tmp_path, *following, "--gpus", "0", "--json").stdout)
    assert (scored["split"], scored["images"], scored["trained_on"]) == ("val", 2, 0)
    seen = frcnn(tmp_path, *following, "--gpus", "0", "--split", "trainval", "--out", "seen.json")
    assert "8 of 10 images were trained on" in seen.stdout
    assert json.loads((tmp_path / "seen.json").read_text())["trained_on"] == 8


def test_a_killed_run_goes_on_as_if_it_had_not_been(project: Path) -> None:
    """`kill -9` behind the first checkpoint; the end has the bits of the run that never stopped."""
    killed = project / ".frcnn" / "runs" / "killed"
    with start(project, "train", "--split", "train", "--run", "killed") as process:
        wait_until((killed / "resume.safetensors").exists, process)
        process.kill()
    done = frcnn(project, "train", "--run", "killed", "--resume", "--gpus", "0")
    assert done.returncode == 0, done.stderr
    ours, theirs = (
        load_checkpoint(run / "last.safetensors")[0] for run in (killed, trained_run(project))
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
    with start(project, *words, "--checkpoint-every", "1000") as process:
        wait_until(lambda: has_content(run / "metrics.jsonl"), process)
        process.send_signal(signal.SIGINT)
        _, stderr = process.communicate()
    assert process.returncode == 130
    assert "frcnn train --resume --run stopped" in stderr
    assert "Traceback" not in stderr
    steps = [json.loads(row)["step"] for row in (run / "metrics.jsonl").read_text().splitlines()]
    _, info = load_checkpoint(run / "last.safetensors")
    assert info.training["step"] == steps[-1] < 1000
    shutil.rmtree(run)


def test_a_run_from_a_detector_knows_the_images_of_both(project: Path) -> None:
    first = load_checkpoint(trained_run(project) / "best.safetensors")[1].training
    words = ["--split", "val", "--eval-split", "train", "--iterations", "1", "--run", "further"]
    done = frcnn(project, "train", "--weights", "efficientnet_lite0-1", *words)
    assert done.returncode == 0, done.stderr
    assert "first weights were trained on 2 of the 2 images" in " ".join(done.stderr.split())
    run = project / ".frcnn/runs/further"
    known = load_checkpoint(run / "best.safetensors")[1].training["images"]
    assert len(base64.b64decode(known)) == 8 * 10
    assert len(base64.b64decode(first["images"])) == 8 * 8
    shutil.rmtree(run)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["train", "nowhere"], "nowhere: does not exist"),
        (["train", "--split", "holdout"], "has no split 'holdout'; use one of"),
        (["train", "--run", "efficientnet_lite0-1"], "exists; continue it with --resume"),
        (["train", "--weights", "gone.pth"], "there is no file and no run 'gone.pth'"),
        (["train", "--run", "bundled"], "cannot be called 'bundled', which --weights and"),
        (["train", "--finetune-from", "conv9"], "finetune_from is 'conv9'; use all or one of"),
        (["train", "--resume", "--run", "other"], "no run to resume"),
        (["train", "--resume", "--lr", "0.1"], "--lr is 0.1, but the run to resume has 0.001"),
        (
            ["train", "--gpus", "0", "--processes", "2", "--batch", "1"],
            "2 processes cannot share a batch of 1; use --batch 2 or more",
        ),
    ],
)
def test_errors_are_one_line(project: Path, words: list[str], message: str) -> None:
    done = frcnn(project, *words)
    assert done.returncode == 1, done.stderr
    assert message in done.stderr
    assert "Traceback" not in done.stderr
    assert len([line for line in done.stderr.splitlines() if "frcnn: " in line]) == 1
    assert [run.name for run in (project / ".frcnn/runs").iterdir()] == ["efficientnet_lite0-1"]


@pytest.mark.parametrize(
    "words", ["--weights gone.pth", "--finetune-from conv9", "--run a/b", "--eval-split none"]
)
def test_what_is_missing_is_found_before_the_search(
    scenes: Path, tmp_path: Path, words: str
) -> None:
    done = frcnn(tmp_path, "train", str(scenes), "--gpus", "0", *words.split())
    assert done.returncode == 1
    assert not (tmp_path / ".frcnn/proposals").exists()


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
    assert "images" in done.stderr
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


def test_bad_images_are_listed_and_the_others_trained_on(scenes: Path, tmp_path: Path) -> None:
    shutil.copytree(scenes, tmp_path / "scenes")
    (tmp_path / "frcnn.toml").write_text(SETTINGS, encoding="utf-8")
    names = (tmp_path / "scenes/ImageSets/Main/trainval.txt").read_text().split()
    cut, text, outside, alone = names[:4]
    image_files, annotations = tmp_path / "scenes/JPEGImages", tmp_path / "scenes/Annotations"
    whole = (image_files / f"{cut}.jpg").read_bytes()
    (image_files / f"{cut}.jpg").write_bytes(whole[: len(whole) // 2])
    (image_files / f"{text}.jpg").write_text("not an image")
    xml = annotations / f"{outside}.xml"
    xml.write_text(xml.read_text().replace("<xmax>", "<xmax>-"))
    (image_files / f"{alone}.jpg").unlink()

    done = frcnn(tmp_path, "train", "--iterations", "1", "--split", "trainval", "--gpus", "0")

    assert done.returncode == 3, done.stderr
    failed = [line for line in done.stderr.splitlines() if line.startswith("frcnn: failed: ")]
    assert len(failed) == 4
    for name in (cut, text, outside, alone):
        assert sum(name in line for line in failed) == 1
    assert "Traceback" not in done.stderr
