"""The engine is optional: what happens without numba, and that nobody else pays for it."""

from __future__ import annotations

import subprocess
import sys

import cv2
import numpy as np
import pytest

from frcnn_cli.config import ProposalConfig
from frcnn_cli.errors import ProposalError
from frcnn_cli.proposals import fast
from frcnn_cli.proposals.fast import engine
from frcnn_cli.proposals.fast.jit import kernel
from frcnn_cli.proposals.search import library
from proposals.photographs import blobs


def test_a_missing_numba_names_the_extra(monkeypatch):
    monkeypatch.setitem(sys.modules, "numba", None)
    for use in (fast.require, lambda: fast.search(blobs(), "fast")):
        with pytest.raises(ProposalError, match=r"pip install 'frcnn-cli\[fast\]'"):
            use()


def test_cached_boxes_are_found_without_numba(monkeypatch):
    monkeypatch.setitem(sys.modules, "numba", None)
    assert library(ProposalConfig(engine="fast")) == f"fast 1, opencv {cv2.__version__}, rules 1"


def test_a_missing_opencv_names_the_package(monkeypatch):
    monkeypatch.setitem(sys.modules, "cv2", None)
    with pytest.raises(ProposalError, match="opencv-contrib-python"):
        fast.require()


def test_opencvs_engine_does_not_import_numba():
    code = """
import sys
import numpy as np
from frcnn_cli.config import ProposalConfig
from frcnn_cli.proposals.search import search
search(np.zeros((9, 9, 3), np.uint8), ProposalConfig())
print("NUMBA", "numba" in sys.modules)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert "NUMBA False" in done.stdout


def test_a_failure_of_opencv_is_told_in_one_line(monkeypatch):
    def fail(*_, **__):
        cv2.cvtColor(np.zeros((1, 1)), cv2.COLOR_RGB2HSV)

    monkeypatch.setattr(engine, "find_regions", fail)
    with pytest.raises(ProposalError, match="the fast engine could not search 40×30 pixels"):
        fast.search(blobs(40, 30), "fast")


@pytest.mark.slow
def test_kernels_work_where_machine_code_cannot_be_kept():
    nowhere = {}
    exec("def double(x):\n    return 2 * x", nowhere)
    assert kernel(nowhere["double"])(np.int64(4)) == 8
