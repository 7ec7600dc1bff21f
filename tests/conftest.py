"""Fixtures for every test: a generated data set, and the real images where there are some.

The process that hands the tests out imports this file too: what takes long is imported where it is
needed.
"""

from __future__ import annotations

import signal
import subprocess
from collections import Counter
from collections.abc import Callable, Generator, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import hypothesis
import pytest

if TYPE_CHECKING:
    from support.gpu_usage import PretendGPU

# A busy machine is no failure: examples have no deadline. Each run draws others.
hypothesis.settings.register_profile("frcnn", deadline=None, max_examples=50)
hypothesis.settings.load_profile("frcnn")

# A shell that starts the tests in the background has them ignore Ctrl-C, and so what they start.
signal.signal(signal.SIGINT, signal.default_int_handler)

SHARED_DATA = Path(__file__).resolve().parents[2] / "shared" / "data"


LONGEST = (
    *("test_timm.py", "test_processes.py", "test_lost_ranks.py", "test_killed.py", "test_dask.py"),
    *("test_folder.py", "test_snippets.py"),
)
"""Files that take longest; they come first, so that no process waits at the end for one of them."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Puts the longest files first; skips tests that need a GPU where there is none."""
    import torch

    items.sort(key=lambda item: item.path.name not in LONGEST)
    if not torch.cuda.is_available():
        for item in items:
            if item.get_closest_marker("gpu"):
                item.add_marker(pytest.mark.skip(reason="needs a GPU"))


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport() -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Escapes lone surrogates in captured output: pytest-xdist sends reports as UTF-8."""
    report = yield
    report.sections = [
        (name, text.encode("utf-8", "backslashreplace").decode()) for name, text in report.sections
    ]
    return report


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Prints what the tests of faults did: the sum of each number that they recorded."""
    counts: Counter[str] = Counter()
    for reports in terminalreporter.stats.values():
        for report in reports:
            if getattr(report, "when", "") == "call":
                counts.update(dict(report.user_properties))
    if counts:
        done = ", ".join(f"{number:,} {name}" for name, number in sorted(counts.items()))
        terminalreporter.write_line(f"faults: {done}")


@pytest.fixture(scope="session")
def scenes(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A VOC year folder of generated scenes: trainval 10 (train 8, val 2) and test 4; read only."""
    from frcnn_cli.data.scenes import generate

    folder = tmp_path_factory.mktemp("scenes")
    generate(folder, train=10, test=4, seed=0)
    return folder


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory):
    """A headless Chromium that notes its console and its network."""
    from support.browser import start_browser

    opened = start_browser(tmp_path_factory.mktemp("chromium"))
    yield opened
    opened.quit()


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The folder of real data sets beside the repository; a clone has none."""
    if not SHARED_DATA.is_dir():
        pytest.skip(f"needs the data sets in {SHARED_DATA}")
    return SHARED_DATA


@pytest.fixture
def pretend_gpu(monkeypatch: pytest.MonkeyPatch) -> PretendGPU:
    """A GPU that exists in this test only, whose `cuda:0` counts operations, waits and copies."""
    from support import pretend_cuda

    return pretend_cuda.install(monkeypatch)


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of one mebibyte of its own."""
    folder = tmp_path / "small"
    folder.mkdir()
    _mount("-t", "tmpfs", "-o", "size=1m", "tmpfs", str(folder))
    try:
        yield folder
    finally:
        subprocess.run(["umount", "--lazy", str(folder)], check=True)


@pytest.fixture
def remount_read_only() -> Callable[[Path], None]:
    """Makes a `small_disk` take no more writes, from root neither."""
    return lambda folder: _mount("-o", "remount,ro", str(folder))


def _mount(*arguments: str) -> None:
    try:
        done = subprocess.run(["mount", *arguments], capture_output=True, check=False)
    except FileNotFoundError:
        pytest.skip("needs mount")
    if done.returncode:
        pytest.skip("needs the right to mount a file system")
