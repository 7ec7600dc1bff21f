"""Fuzzes the readers of bytes with atheris, which follows the branches that an input takes.

    python tests/fuzz/by_coverage.py SECONDS [READER ...]

Together the readers get the seconds, each in a process of its own, as many at once as there are
cores; what they take to start comes on top. An input that breaks one is left as a file `crash-…` in
the working directory. Without atheris it prints so and does nothing.
"""

from __future__ import annotations

import logging
import math
import os
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from importlib.util import find_spec
from pathlib import Path

BY_BYTES = (
    *("voc_xml", "coco", "yolo_yaml", "yolo_labels"),
    *("detections", "voc_results", "yolo_results", "safetensors", "image", "toml"),
    *("cache_entry", "cache_detections", "run_config", "run_metrics"),
    *("proposals_json", "proposals_npz", "proposals_pkl"),
)
SLOWEST_SECONDS = 20
START_SECONDS = 120
"""What a reader may take to start, on a busy machine."""
MOST_MEMORY_MB = 4096


def main() -> int:
    """Fuzzes the readers; returns how many were broken."""
    seconds, names = int(sys.argv[1]), sys.argv[2:] or BY_BYTES
    if find_spec("atheris") is None:
        print("atheris is not installed: nothing is fuzzed by coverage")
        return 0
    lanes = min(len(names), os.cpu_count() or 1)
    share = max(1, seconds // math.ceil(len(names) / lanes))
    print(f"by coverage: {len(names)} readers, {share} s each, {lanes} at once", flush=True)
    with ThreadPoolExecutor(lanes) as pool:
        return sum(pool.map(partial(_is_broken, share), names))


def _is_broken(seconds: int, name: str) -> bool:
    """Fuzzes the reader `name` in a process that is ended if it does not end in time."""
    command = [sys.executable, __file__, "--one", name, str(seconds)]
    limit = seconds + START_SECONDS
    try:
        run = subprocess.run(command, stderr=subprocess.PIPE, text=True, check=False, timeout=limit)
    except subprocess.TimeoutExpired:
        print(f"{name}: ended after {limit} s; give it more seconds", flush=True)
        return False
    last = [line for line in run.stderr.splitlines() if line.startswith(("Done", "stat::"))]
    print(f"{name}: {last[0] if last else run.stderr[-3000:]}", flush=True)
    return run.returncode != 0


def one(name: str, seconds: str) -> None:
    """Fuzzes the reader `name` until the time is over or it breaks."""
    import atheris  # noqa: PLC0415

    sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
    with atheris.instrument_imports(
        include=["frcnn_cli", "defusedxml", "yaml", "xml", "PIL", "tomllib"]
    ):
        from support.readers import check  # noqa: PLC0415
        from support.whole_files import SEEDS  # noqa: PLC0415
    logging.disable()
    corpus = Path(tempfile.mkdtemp())
    for number, seed in enumerate(SEEDS[name]):
        (corpus / str(number)).write_bytes(seed)
    limits = [f"-max_total_time={seconds}", f"-timeout={SLOWEST_SECONDS}", "-max_len=4096"]
    atheris.Setup(
        [sys.argv[0], *limits, f"-rss_limit_mb={MOST_MEMORY_MB}", str(corpus)],
        lambda content: check(name, content),
    )
    atheris.Fuzz()


if __name__ == "__main__":
    if sys.argv[1] == "--one":
        one(*sys.argv[2:])
    else:
        sys.exit(main())
