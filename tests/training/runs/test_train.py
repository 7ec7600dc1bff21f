"""A run that cannot go on keeps the steps that it took."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from frcnn_cli.cache.store import Cache
from frcnn_cli.config import InputConfig, ModelConfig, ProposalConfig
from frcnn_cli.config.recipes import Recipe
from frcnn_cli.errors import ImageError
from frcnn_cli.training.runs.events import TrainEvents
from frcnn_cli.training.runs.folder import STATE, RunFolder
from frcnn_cli.training.runs.job import TrainJob
from frcnn_cli.training.runs.train import prepare_run, train_detector
from support import killed
from support.settings import changed


@pytest.mark.slow
def test_images_that_vanish_leave_the_last_whole_step(scenes: Path, tmp_path: Path) -> None:
    data, cache = tmp_path / "data", Cache(tmp_path / "cache")
    shutil.copytree(scenes, data)
    config = changed(killed.CONFIG, checkpoint_every=100, eval_every=100, images_per_batch=1)
    recipe = Recipe(config, InputConfig(64, 160))
    job = TrainJob(data, "train", ModelConfig(finetune_from="fc6"), recipe, ProposalConfig())
    taken: list[int] = []

    def stepped(report) -> None:
        taken.append(report.step)
        shutil.rmtree(data / "JPEGImages", ignore_errors=True)

    device = torch.device("cpu")
    with RunFolder.new(cache, "run", "") as folder:
        events = TrainEvents(stepped=stepped)
        with pytest.raises(ImageError, match="does not exist"):
            train_detector(prepare_run(job, cache, device), folder, events)
    assert taken[-1] < config.schedule.iterations
    assert (folder.path / STATE).exists()
    shutil.copytree(scenes / "JPEGImages", data / "JPEGImages", dirs_exist_ok=True)
    with RunFolder.existing(cache, "run") as folder:
        reports: list[int] = []
        events = replace(events, stepped=lambda report: reports.append(report.step))
        train_detector(prepare_run(job, cache, device, resume=folder), folder, events)
    assert reports[0] == taken[-1] + 1
