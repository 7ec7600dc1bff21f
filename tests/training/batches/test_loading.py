"""Batches loaded by other processes, which may be killed, where shared memory is short."""

from __future__ import annotations

import multiprocessing
import subprocess
import sys

import pytest

from frcnn_cli.model.batch import Batch
from frcnn_cli.training.batches.loading import loaded_ahead
from support import loaders
from support.small_shm import in_small_shm

pytestmark = pytest.mark.slow


def test_a_killed_loader_costs_nothing() -> None:
    seen = []
    for batch in loaded_ahead(loaders.load, range(loaders.STEPS), workers=2):
        assert isinstance(batch, Batch)
        seen.append(batch.images[0].unique().tolist())
        if len(seen) == 2:
            for child in multiprocessing.active_children():
                child.kill()
    assert seen == [[float(step)] for step in range(loaders.STEPS)]


def test_batches_need_no_shared_memory() -> None:
    done = subprocess.run(
        in_small_shm([sys.executable, loaders.__file__]),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.split() == [str(step) for step in range(loaders.STEPS)]
