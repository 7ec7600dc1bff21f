"""Fuzzes the readers of bytes with atheris, which follows the branches that an input takes.

    python tests/fuzz/by_coverage.py SECONDS [READER ...]

Each reader gets the seconds, in a process of its own. An input that breaks one is left as a file
`crash-…` in the working directory. Without atheris it says so and does nothing.
"""

from __future__ import annotations

import logging
import subprocess
import sys
import tempfile
from importlib.util import find_spec
from pathlib import Path

BY_BYTES = ("voc_xml", "coco", "detections", "safetensors", "yolo_yaml", "yolo_labels", "image")
SLOWEST_SECONDS = 20
MOST_MEMORY_MB = 4096


def main() -> int:
    """Runs each reader in turn; returns how many were broken."""
    seconds, names = sys.argv[1], sys.argv[2:] or BY_BYTES
    if find_spec("atheris") is None:
        print("atheris is not installed: nothing is fuzzed by coverage")
        return 0
    broken = 0
    for name in names:
        command = [sys.executable, __file__, "--one", name, seconds]
        run = subprocess.run(command, stderr=subprocess.PIPE, text=True, check=False)
        last = [line for line in run.stderr.splitlines() if line.startswith(("Done", "stat::"))]
        print(f"{name}: {last[0] if last else run.stderr[-3000:]}", flush=True)
        broken += run.returncode != 0
    return broken


def one(name: str, seconds: str) -> None:
    """Fuzzes the reader `name` until the time is over or it breaks."""
    import atheris  # noqa: PLC0415

    sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
    with atheris.instrument_imports(include=["frcnn_cli", "defusedxml", "yaml", "xml", "PIL"]):
        from fuzz.readers import SEEDS, check  # noqa: PLC0415
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
