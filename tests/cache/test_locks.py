"""Claims on work, held by real processes."""

from __future__ import annotations

import subprocess
import sys

import pytest

from frcnn_cli.cache.claims import claimed
from frcnn_cli.cache.store import Cache

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="has no locks of this kind")

HOLD = """
import sys
from pathlib import Path
from frcnn_cli.cache.claims import claimed
from frcnn_cli.cache.store import Cache

with claimed(Cache(Path(sys.argv[1])), sys.argv[2], wait=False) as mine:
    print(mine, flush=True)
    sys.stdin.read()
"""
KEY, OTHER = "ab" * 32, "cd" * 32


@pytest.fixture
def cache(tmp_path) -> Cache:
    return Cache(tmp_path)


@pytest.fixture
def holder(cache):
    process = subprocess.Popen(
        [sys.executable, "-c", HOLD, cache.root, KEY],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout.readline() == "True\n"
    yield process
    process.kill()
    process.communicate()


def test_work_is_claimed_once_and_other_work_is_free(cache, holder):
    with claimed(cache, KEY, wait=False) as mine:
        assert not mine
    with claimed(cache, OTHER, wait=False) as mine:
        assert mine


def test_a_claim_ends_with_its_block(cache, holder):
    holder.communicate("")
    with claimed(cache, KEY, wait=False) as mine:
        assert mine


def test_a_claim_of_a_killed_process_is_free(cache, holder):
    holder.kill()
    with claimed(cache, KEY, wait=True) as mine:
        assert mine
