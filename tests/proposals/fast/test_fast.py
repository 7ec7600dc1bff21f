"""The fast engine without numba, which is imported by searches alone."""

from __future__ import annotations

import os
import subprocess
import sys

import cv2
import numpy as np
import pytest

from frcnn_cli.config import ProposalConfig
from frcnn_cli.errors import ProposalError
from frcnn_cli.proposals import fast
from frcnn_cli.proposals import search as search_module
from frcnn_cli.proposals.fast import engine
from frcnn_cli.proposals.fast.numba_kernels.jit import kernel
from frcnn_cli.proposals.search import library, require_engine, search
from support.images import blobs


def test_a_numba_that_cannot_be_imported_names_the_ways_out(monkeypatch):
    monkeypatch.setitem(sys.modules, "numba", None)
    for use in (fast.require, lambda: fast.search(blobs(), "fast")):
        with pytest.raises(ProposalError, match="pip install --upgrade numba, or --engine opencv"):
            use()


def test_without_numba_opencv_searches_with_one_warning(monkeypatch, caplog):
    monkeypatch.setitem(sys.modules, "numba", None)
    search_module.warn_once.cache_clear()
    config = ProposalConfig(engine="fast")
    require_engine(config)
    for _ in range(2):
        assert library(config) == library(ProposalConfig(engine="opencv"))
    found = search(blobs(), config)
    np.testing.assert_array_equal(found, search(blobs(), ProposalConfig(engine="opencv")))
    assert [record.message for record in caplog.records if "numba" in record.message] == [
        "numba is not installed, so OpenCV searches: the same boxes in several times the time; "
        "remedy: pip install numba"
    ]


@pytest.mark.slow
def test_compiling_is_announced_once(tmp_path):
    code = """
import logging
logging.basicConfig(level=logging.INFO, format="%(message)s")
from frcnn_cli.proposals import fast
from frcnn_cli.proposals.fast import engine
engine.rehearse = lambda: None
fast.require()
"""
    environment = os.environ | {"NUMBA_CACHE_DIR": str(tmp_path)}
    lines = [
        subprocess.run(
            [sys.executable, "-c", code],
            env=environment,
            capture_output=True,
            text=True,
            check=True,
        ).stderr
        for _ in range(2)
    ]
    assert "compiling the region search for this processor" in lines[0]
    assert lines[1] == ""


@pytest.mark.slow
def test_of_processes_that_start_together_one_compiles(tmp_path):
    code = """
import numpy as np
from frcnn_cli.proposals.fast.numba_kernels.stdsort import std_sort
std_sort(np.zeros(1, np.int64))
print(sum(std_sort.stats.cache_misses.values()))
"""
    environment = os.environ | {"NUMBA_CACHE_DIR": str(tmp_path)}
    command = [sys.executable, "-c", code]
    started = [
        subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True)
        for _ in range(3)
    ]
    assert sorted(int(each.communicate()[0]) for each in started) == [0, 0, 1]


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
search(np.zeros((9, 9, 3), np.uint8), ProposalConfig(engine="opencv"))
print("NUMBA", "numba" in sys.modules)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert "NUMBA False" in done.stdout


def test_a_failure_of_opencv_is_reported_in_one_line(monkeypatch):
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
