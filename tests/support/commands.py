"""Runs `frcnn` commands: in this process, which is quick, or as a process of their own."""

from __future__ import annotations

import contextlib
import io
import json
import logging
import os
import subprocess
import sys
from pathlib import Path
from typing import Any
from unittest import mock

from frcnn_cli.cli.app import main
from support.schemas import require_valid

COMMAND = (sys.executable, "-m", "frcnn_cli")
SETTINGS = """
[input]
short_side = 96
long_side = 160

[train]
short_sides = [96]
long_side = 160
iterations = 4
epochs = 0.0
checkpoint_every = 2
validation_images = 2
"""
"""A frcnn.toml with which a command takes seconds."""


def frcnn(folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    """Runs `frcnn WORDS` in `folder`, in this process, and returns what a process would have."""
    out, err = (io.TextIOWrapper(io.BytesIO(), "utf-8", write_through=True) for _ in range(2))
    logger = logging.getLogger("frcnn_cli")
    level = logger.level
    code: object = None
    with (
        contextlib.chdir(folder),
        mock.patch.object(sys, "argv", ["frcnn", *words]),
        mock.patch.dict(os.environ, {"COLUMNS": "80"}),
        contextlib.redirect_stdout(out),
        contextlib.redirect_stderr(err),
    ):
        try:
            main()
        except SystemExit as exit_:
            code = exit_.code
        finally:
            logger.setLevel(level)
    texts = [stream.buffer.getvalue().decode() for stream in (out, err)]
    _check_json(words, texts[0])
    return subprocess.CompletedProcess(words, int(code or 0), *texts)


def frcnn_process(folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    """Runs `frcnn WORDS` in `folder` as a user does."""
    done = subprocess.run(
        [*COMMAND, *words], cwd=folder, capture_output=True, text=True, check=False
    )
    _check_json(words, done.stdout)
    return done


def _check_json(words: tuple[str, ...], stdout: str) -> None:
    """Validates what `--json` printed, whatever a test then reads of it."""
    if "--json" in words and stdout:
        require_valid(json.loads(stdout))


def start(folder: Path, *words: str, new_session: bool = False) -> subprocess.Popen[str]:
    """Starts `frcnn WORDS` in `folder`, for tests that stop it on its way."""
    return subprocess.Popen(
        [*COMMAND, *words],
        cwd=folder,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=new_session,
    )


def entries(folder: Path, kind: str) -> list[str]:
    """The names of the cache's entries of `kind`, without those that are being written."""
    files = (folder / ".frcnn" / kind).glob("*/*")
    return [file.name for file in files if not file.name.startswith(".")]


def has_content(file: Path) -> bool:
    """Whether `file` is there and not empty."""
    return file.exists() and file.stat().st_size > 0


def trained_run(project: Path) -> Path:
    """The folder of the only run of the fixture `project`."""
    return project / ".frcnn" / "runs" / "efficientnet_lite0-1"


def metrics(project: Path) -> list[dict[str, Any]]:
    """The rows of that run's metrics.jsonl."""
    lines = (trained_run(project) / "metrics.jsonl").read_text().splitlines()
    return [json.loads(line) for line in lines]
