"""Facts that several processes have to agree on, with the others' answers made up."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from frcnn_cli.cache.keys import content_hash
from frcnn_cli.cache.store import Cache
from frcnn_cli.config import ProposalConfig, TrainConfig, ValidationConfig
from frcnn_cli.data.dataset import Dataset
from frcnn_cli.data.formats.voc import VocReader
from frcnn_cli.data.open import open_dataset
from frcnn_cli.errors import CheckpointError, ConfigError, DataError, DeviceError
from frcnn_cli.proposals.service import ProposalRun
from frcnn_cli.records import Sample
from frcnn_cli.runtime.memory import translate_out_of_memory
from frcnn_cli.training.batches.split_data import SplitData, require_evaluation
from frcnn_cli.training.distributed.context import SINGLE_PROCESS, DistributedContext
from frcnn_cli.training.runs.agreement import (
    check_batch_divides,
    check_same_state,
    intersect_across_ranks,
)
from frcnn_cli.training.runs.folder import STATE, RunFolder
from support.settings import train_config


@dataclass(frozen=True)
class Two(DistributedContext):
    """One of two processes, of which the other sends `others`."""

    world_size: int = 2
    others: Any = None

    def all_gather(self, value: Any) -> list[Any]:
        return [value, self.others]


def data(tmp_path: Path, ids: Sequence[str]) -> SplitData:
    boxes = np.array([[0, 0, 4, 4]], np.float32)
    samples = [
        Sample(name, tmp_path / name, boxes, np.array([1]), np.array([False])) for name in ids
    ]
    dataset = Dataset("VOC folder", tmp_path, tuple(ids), {}, VocReader({}))
    return SplitData(dataset, "train", samples, [], ProposalRun(ProposalConfig(), Cache(tmp_path)))


def test_images_that_one_process_cannot_use_are_left_out_everywhere(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    mine = data(tmp_path, ["a", "b", "c", "d"])
    both = intersect_across_ranks(mine, Two(others=["d", "b", "a"]))
    assert both is not None
    assert [sample.image_id for sample in both.samples] == ["a", "b", "d"]
    assert "1 images of train are left out" in caplog.text
    assert intersect_across_ranks(mine, Two(others=[])) is None
    assert intersect_across_ranks(None, Two(others=["a"])) is None
    assert intersect_across_ranks(mine, SINGLE_PROCESS) is mine


def test_one_state_in_all_processes(tmp_path: Path) -> None:
    run = RunFolder(tmp_path / "mine")
    run.path.mkdir()
    (run.path / STATE).write_bytes(b"step 1000")
    same = content_hash(run.path / STATE)
    check_same_state(run, Two(others=("mine", same)))
    for others in (("mine", "the hash of step 500"), ("another", same)):
        with pytest.raises(CheckpointError, match="not the same file in every process"):
            check_same_state(run, Two(others=others))


def test_what_cannot_be_shared() -> None:
    check_batch_divides(TrainConfig(), 2)
    with pytest.raises(ConfigError, match="2 processes cannot share a batch of 1"):
        check_batch_divides(train_config(images_per_batch=1), 2)
    with pytest.raises(ConfigError, match="stage_wise trains in one process"):
        check_batch_divides(train_config(stage_wise=True), 2)


def test_patience_needs_something_to_wait_for(scenes: Path, tmp_path: Path) -> None:
    dataset, patient = open_dataset(scenes, Cache(tmp_path)), ValidationConfig(patience=3)
    require_evaluation(dataset, "train", patient)
    require_evaluation(dataset, "trainval", ValidationConfig())
    with pytest.raises(ConfigError, match="patience is 3, but no images of 'val'"):
        require_evaluation(dataset, "trainval", patient)
    with pytest.raises(ConfigError, match="set validation_images"):
        require_evaluation(dataset, "train", replace(patient, validation_images=0))


def test_a_split_that_was_named_has_to_be_there(scenes: Path, tmp_path: Path) -> None:
    dataset = open_dataset(scenes, Cache(tmp_path))
    with pytest.raises(DataError, match="has no split 'vall'"):
        require_evaluation(dataset, "train", ValidationConfig(eval_split="vall"))


def test_a_gpu_without_memory_is_reported_in_a_line() -> None:
    with (
        pytest.raises(DeviceError, match="no memory left; lower short_sides"),
        translate_out_of_memory(),
    ):
        raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB.")
