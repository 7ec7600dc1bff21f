"""The job that a command line of `frcnn train` makes, without training."""

from __future__ import annotations

import json
import logging
import shlex
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
import typer

from frcnn_cli.cache.checkpoints import CheckpointInfo, save_checkpoint
from frcnn_cli.cache.store import Cache
from frcnn_cli.cli.app import app
from frcnn_cli.cli.train.job import new_job, resumed_job
from frcnn_cli.config import InputConfig, ModelConfig, Settings
from frcnn_cli.config.recipes import for_images
from frcnn_cli.errors import CheckpointError, ConfigError
from frcnn_cli.training.runs.job import TrainJob
from frcnn_cli.training.runs.reproduce import repeating_command

COMMAND = typer.main.get_command(app).commands["train"]
IMAGES = 240


@pytest.fixture
def job_of(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], TrainJob]:
    """Returns the job of a command line."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "crops.toml").write_text("[train]\ncrop_prob = 0.5\nlr = 0.002\n")
    cache = Cache(tmp_path / ".frcnn")
    runs = tmp_path / ".frcnn/runs"
    for name in ("mine", "aligned"):
        (runs / name).mkdir(parents=True)
    (runs / "mine/best.safetensors").touch()
    aligned = ModelConfig("resnet50", "roi_align", finetune_from="conv4", fc6_rank=8)
    info = CheckpointInfo(aligned, ("bee",), InputConfig(), tiles=640)
    save_checkpoint(runs / "aligned/best.safetensors", {}, info)

    def job(words: str) -> TrainJob:
        click = COMMAND.make_context("train", words.split())
        old = click.params["resume"] and TrainJob.from_json(json.loads(saved.read_text()))
        if old:
            return resumed_job(old, click, cache)
        made = new_job(Settings.load(click.params["config"]), click.params, 1, cache)
        saved.write_text(json.dumps(made.to_json()))
        return made

    saved = tmp_path / "job.json"
    return job


def steps(job: TrainJob) -> int:
    return for_images(job.recipe.train, IMAGES).schedule.iterations


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ("", 960),
        ("--backbone vgg16", 1_920),
        ("--backbone vgg16 --recipe paper", 40_000),
        ("--epochs 2", 240),
        ("--epochs 2 --batch 4", 120),
        ("--epochs 0", 600),
        ("--iterations 7", 7),
        ("--backbone vgg16 --stage-wise", 3_840),
    ],
)
def test_how_long_a_run_is(job_of: Callable[[str], TrainJob], words: str, expected: int) -> None:
    assert steps(job_of(words)) == expected


@pytest.mark.parametrize(
    ("words", "trained", "cap", "expected"),
    [
        ("", (448, 528, 608), 1000, (600, 1000)),
        ("--short-side 320", (320,), 1000, (320, 1000)),
        ("--short-side 900", (900,), 1500, (900, 1500)),
        ("--scales 480,576,688", (480, 576, 688), 2000, (688, 1147)),
        ("--scales 480,576 --short-side 600", (480, 576), 2000, (600, 1000)),
    ],
)
def test_the_sizes_of_training_and_detection(
    job_of: Callable[[str], TrainJob],
    words: str,
    trained: tuple[int, ...],
    cap: int,
    expected: tuple[int, int],
    caplog: pytest.LogCaptureFixture,
) -> None:
    job = job_of(words)
    augmentation, seen = job.recipe.train.augmentation, job.recipe.input
    assert (augmentation.short_sides, augmentation.long_side) == (trained, cap)
    assert (seen.short_side, seen.long_side) == expected
    assert not caplog.records


def test_sizes_that_differ_are_a_warning(
    job_of: Callable[[str], TrainJob], caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING, "frcnn_cli"):
        job_of("--scales 320,400 --short-side 800")
    assert "320 to 400 pixels in training and 800 in detection" in caplog.text


@pytest.mark.parametrize(
    ("words", "backbone", "pool", "tiles"),
    [
        ("", "efficientnet_lite0", "roi_pool", 0),
        ("--weights bundled", "efficientnet_lite2", "roi_pool", 0),
        ("--weights aligned", "resnet50", "roi_align", 640),
        ("--weights aligned --backbone alexnet --tiles 0", "alexnet", "roi_align", 0),
        ("--weights aligned --config pool.toml", "resnet50", "roi_pool", 300),
        ("--weights mine", "efficientnet_lite0", "roi_pool", 0),  # an empty file, refused later
    ],
)
def test_a_detector_as_first_weights_sets_the_defaults(
    job_of: Callable[[str], TrainJob], words: str, backbone: str, pool: str, tiles: int
) -> None:
    Path("pool.toml").write_text('[model]\npool = "roi_pool"\n[proposals]\ntiles = 300\n')
    job = job_of(words)
    assert job.model == ModelConfig(backbone, pool)
    assert job.proposals.tiles == tiles


@pytest.mark.parametrize(
    ("given", "path"),
    [
        *((name, None) for name in ("imagenet", "none", "bundled")),
        ("aligned", ".frcnn/runs/aligned/best.safetensors"),
        (".frcnn/runs/aligned", ".frcnn/runs/aligned/best.safetensors"),
        (".frcnn/runs/aligned/best.safetensors", ".frcnn/runs/aligned/best.safetensors"),
        ("crops.toml", "crops.toml"),  # refused when it is read
    ],
)
def test_first_weights_are_a_name_or_an_absolute_path(
    job_of: Callable[[str], TrainJob], given: str, path: str | None
) -> None:
    job = job_of(f"--weights {given}")
    assert job.weights == (given if path is None else str(Path(path).absolute()))
    command = shlex.split(repeating_command(job, Path("s.toml"), "cpu", 1, Path(".frcnn")))
    assert command[command.index("--weights") + 1] == job.weights


def test_first_weights_keep_the_name_of_a_link(job_of: Callable[[str], TrainJob]) -> None:
    """Model hubs keep files as links to names without a suffix, which says how to read them."""
    Path("blob").touch()
    Path("model.pth").symlink_to("blob")
    assert job_of("--weights model.pth").weights == str(Path("model.pth").absolute())


def test_a_run_resumes_without_the_run_that_it_started_from(
    job_of: Callable[[str], TrainJob],
) -> None:
    began = job_of("--weights mine")
    shutil.rmtree(".frcnn/runs/mine")
    assert job_of("--weights mine --resume").weights == began.weights


def test_first_weights_that_are_not_there_name_the_runs(job_of: Callable[[str], TrainJob]) -> None:
    with pytest.raises(CheckpointError, match=r"no run 'bundle'; .* runs are: "):
        job_of("--weights bundle")


@pytest.mark.parametrize(
    "words",
    [
        "--lr 0.002 --seed 3 --flip-prob 0.25 --short-side 480",
        "--backbone vgg16 --recipe paper --scales 480,576 --batch 4 --epochs 3",
        "--no-box-regression --weights mine --split train",
        "--weights bundled",
        "--weights aligned",
        "--config crops.toml --tiles 640",
    ],
)
def test_the_same_command_with_resume_goes_on(
    job_of: Callable[[str], TrainJob], words: str
) -> None:
    began = job_of(words)
    again = job_of(f"{words} --resume --run mine")
    assert steps(again) == steps(began)
    assert again.recipe.input == began.recipe.input
    assert again.weights == began.weights
    assert again.model == began.model
    assert again.proposals == began.proposals
    assert steps(job_of("--resume --iterations 9")) == 9


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ("--lr 0.003", "--lr is 0.003, but the run to resume has 0.001; leave it out"),
        ("--scales 480,576", "--scales is (480, 576), but the run to resume has (448, 528, 608)"),
        ("--recipe caffe", "--recipe is caffe, but the run to resume has default"),
        ("--backbone vgg16", "--backbone is vgg16, but"),
        ("--weights none", "--weights is none, but the run to resume has imagenet"),
        ("--tiles 640", "--tiles is 640, but the run to resume has 0"),
        ("--batch 8", "--batch is 8, but the run to resume has 2"),
        ("--config crops.toml", "crops.toml: crop_prob is 0.5, but the run to resume has 0.0"),
        ("--dry-run", "--dry-run is given with --resume"),
        ("--epochs 3 --iterations 9", "iterations and epochs are both given"),
    ],
)
def test_a_flag_that_makes_another_run(
    job_of: Callable[[str], TrainJob], words: str, message: str
) -> None:
    job_of("")
    with pytest.raises(ConfigError) as caught:
        job_of(f"--resume {words}")
    assert message in str(caught.value)
