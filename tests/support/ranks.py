"""Ranks of a training run as processes without a launcher, which notice within seconds what a real
run notices within a minute.

    python ranks.py WORD...
"""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from datetime import timedelta
from pathlib import Path


def start_ranks(folder: Path, *words: str, count: int = 2) -> list[subprocess.Popen[str]]:
    """Starts `frcnn WORDS` in `folder` as `count` connected processes."""
    with socket.socket() as free:
        free.bind(("localhost", 0))
        port = free.getsockname()[1]
    environment = {
        "WORLD_SIZE": str(count),
        "LOCAL_WORLD_SIZE": str(count),
        "MASTER_ADDR": "localhost",
        "MASTER_PORT": str(port),
        "OMP_NUM_THREADS": "1",
    }
    return [
        subprocess.Popen(
            [sys.executable, __file__, *words],
            cwd=folder,
            env={**os.environ, **environment, "RANK": str(rank), "LOCAL_RANK": str(rank)},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for rank in range(count)
    ]


if __name__ == "__main__":
    from frcnn_cli.cli.app import main
    from frcnn_cli.training.distributed import context, watch

    context.HEARTBEAT_TIMEOUT = timedelta(seconds=6)
    watch.HEARTBEAT_SECONDS, watch.GRACE_SECONDS = 0.5, 2.0
    main()
