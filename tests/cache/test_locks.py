"""Claims on work, held by real processes."""

from __future__ import annotations

import subprocess
import sys

import pytest

from frcnn_cli.cache.locks import claimed

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="has no locks of this kind")

HOLD = """
import sys
from pathlib import Path
from frcnn_cli.cache.locks import claimed

with claimed(Path(sys.argv[1]), sys.argv[2], wait=False) as mine:
    print(mine, flush=True)
    sys.stdin.read()
"""
KEY, OTHER = "ab" * 32, "cd" * 32


@pytest.fixture
def holder(tmp_path):
    process = subprocess.Popen(
        [sys.executable, "-c", HOLD, tmp_path, KEY],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout.readline() == "True\n"
    yield process
    process.kill()
    process.communicate()


def test_work_is_claimed_once_and_other_work_is_free(tmp_path, holder):
    with claimed(tmp_path, KEY, wait=False) as mine:
        assert not mine
    with claimed(tmp_path, OTHER, wait=False) as mine:
        assert mine


def test_a_claim_ends_with_its_block(tmp_path, holder):
    holder.communicate("")
    with claimed(tmp_path, KEY, wait=False) as mine:
        assert mine


def test_a_claim_of_a_killed_process_is_free(tmp_path, holder):
    holder.kill()
    with claimed(tmp_path, KEY, wait=True) as mine:
        assert mine
