"""Processes that train together do what one process does with the same images."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
import safetensors.torch
import torch
import torch.distributed as dist

from frcnn_cli.training.distributed.context import SINGLE_PROCESS, DistributedContext
from support import together
from support.together import train

TOGETHER = Path(together.__file__)
BOUND = 1e-5
"""Sums of float32 in another order: differences as a part of a tensor's largest magnitude."""


@pytest.mark.parametrize(("count", "world"), [(7, 3), (2, 2), (2, 4), (0, 2)])
def test_shards_cover_all_once_in_order(count: int, world: int) -> None:
    shares = [list(DistributedContext(rank, world).shard(range(count))) for rank in range(world)]
    assert [item for share in shares for item in share] == list(range(count))
    sizes = [len(share) for share in shares]
    assert max(sizes) - min(sizes) <= 1


def test_a_single_process_exchanges_nothing() -> None:
    assert SINGLE_PROCESS.all_reduce_sum(1, 2.5) == [1, 2.5]
    assert SINGLE_PROCESS.all_gather("a") == ["a"]
    assert SINGLE_PROCESS.is_main_process
    with SINGLE_PROCESS.local_main_process_first():
        pass


def test_the_launcher_sets_rank_and_world_size(monkeypatch: pytest.MonkeyPatch) -> None:
    variables = {"RANK": "5", "WORLD_SIZE": "8", "MASTER_ADDR": "a", "MASTER_PORT": "1"}
    for name, value in variables.items():
        assert DistributedContext.from_env() == SINGLE_PROCESS  # some are missing
        monkeypatch.setenv(name, value)
    assert DistributedContext.from_env() == DistributedContext(5, 8)
    monkeypatch.setenv("LOCAL_RANK", "1")
    monkeypatch.setenv("LOCAL_WORLD_SIZE", "4")
    assert DistributedContext.from_env() == DistributedContext(5, 8, 1, 4)


def test_a_healthy_run_warns_of_nothing(tmp_path: Path) -> None:
    """A depthwise layer gets a gradient of other strides than its weights have."""
    store = dist.FileStore(str(tmp_path / "store"), 1)
    dist.init_process_group("gloo", store=store, rank=0, world_size=1)
    try:
        layer = torch.nn.Conv2d(8, 8, 3, groups=8)
        images = torch.rand(2, 8, 16, 16).contiguous(memory_format=torch.channels_last)
        DistributedContext(0, 2).wrap(layer)(images).sum().backward()  # a warning is an error here
    finally:
        dist.destroy_process_group()


@pytest.mark.slow
def test_two_processes_equal_one(tmp_path: Path) -> None:
    """One has one image, the other two; dropout, momentum and averaging are on."""
    launcher = [sys.executable, "-m", "torch.distributed.run", "--standalone"]
    subprocess.run([*launcher, "--nproc-per-node=2", TOGETHER, tmp_path], check=True)
    whole, _ = train(SINGLE_PROCESS)
    first, second = (safetensors.torch.load_file(tmp_path / f"{i}.safetensors") for i in (0, 1))
    assert first.keys() == second.keys() == whole.keys()
    for name, tensor in whole.items():
        assert torch.equal(first[name], second[name]), name
        difference = (first[name] - tensor).abs().max()
        assert difference <= BOUND * tensor.abs().max(), (name, difference)
