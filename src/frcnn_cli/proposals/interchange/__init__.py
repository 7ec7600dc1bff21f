"""Proposals that other tools made: their files, and how their numbers are to be read.

SciPy's parser of MATLAB files can be crashed by a file, a few bytes of pickle can ask for any time
and memory: a file is read in a process of its own, with limits that grow with its size.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

import msgspec
import numpy as np

from frcnn_cli.decoding import decode_json
from frcnn_cli.errors import DataError
from frcnn_cli.files import reading
from frcnn_cli.proposals.interchange.convention import Base, BoxConvention, Order
from frcnn_cli.proposals.interchange.formats import READERS
from frcnn_cli.proposals.interchange.record import ImportedProposals, Name
from frcnn_cli.runtime.child import exit_reason

_MEGABYTE = 1 << 20
_WAITING = 20
"""Seconds of wall time per second of computing: the machine may be busy, the file far away."""


class Limits(NamedTuple):
    """Limits of reading a file: a fixed amount, and more per megabyte of the file.

    The Fast R-CNN release's files take 10 times their size, JSON takes 15 times.
    """

    memory: int = 2048 * _MEGABYTE
    memory_per_megabyte: int = 32 * _MEGABYTE
    seconds: int = 20
    seconds_per_megabyte: float = 1.0


DEFAULT_LIMITS = Limits()


def read_proposals(file: Path, limits: Limits = DEFAULT_LIMITS) -> ImportedProposals:
    """Reads a file of proposals; its ending decides the format. Nothing in it is executed.

    Raises:
        DataError: it cannot be read, is of another format, crashes its reader or takes too much
            time or memory, or holds no boxes.
    """
    if file.suffix.lower() not in READERS:
        raise DataError(
            f"ends in {file.suffix!r}", remedy=f"name a file with {', '.join(READERS)}", file=file
        )
    with reading(file):
        megabytes = file.stat().st_size / _MEGABYTE
    if not file.is_file():
        raise DataError("is not a file", remedy="name a file", file=file)
    memory = limits.memory + int(limits.memory_per_megabyte * megabytes)
    seconds = limits.seconds + int(limits.seconds_per_megabyte * megabytes)
    found = _unpacked(read_apart(file, memory, seconds), file)
    if not found.boxes:
        raise DataError("holds no images", file=file)
    return found


def read_apart(file: Path, memory: int, seconds: int) -> bytes:
    """Returns what a process of its own prints that reads a file.

    Args:
        file: of a known format.
        memory: bytes that it may take beyond what it starts with.
        seconds: of computing that it may take.

    Raises:
        DataError: it crashed, or took too long.
    """
    command = (sys.executable, "-P", "-m", __name__, file.absolute(), f"{memory}", f"{seconds}")
    one_thread = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"), "1")
    too_long = DataError(
        f"was not read in {seconds} s, far too long for its size", remedy="check it", file=file
    )
    try:
        done = subprocess.run(
            command,
            capture_output=True,
            stdin=subprocess.DEVNULL,
            env={**os.environ, **one_thread},
            timeout=seconds * _WAITING,
            check=False,
        )
    except subprocess.TimeoutExpired:
        raise too_long from None
    if done.returncode == 0:
        return done.stdout
    how = exit_reason(done.returncode)
    if how in {"SIGXCPU", "SIGKILL"}:
        raise too_long
    raise DataError(f"crashes its reader ({how})", remedy="write it again", file=file)


class _ExportedProposals(msgspec.Struct):
    """The first line that a reading process prints."""

    format: str = ""
    convention: tuple[Order, Base] = ("xyxy", "edges")
    names: list[Name] | None = None
    rows: list[int] = []
    problem: str = ""
    remedy: str = ""


def _unpacked(printed: bytes, file: Path) -> ImportedProposals:
    line, _, numbers = printed.partition(b"\n")
    about = decode_json(line, _ExportedProposals)
    if about.problem:
        remedy = about.remedy or "write the file again"
        raise DataError(about.problem, remedy=remedy, file=file)
    table = np.frombuffer(numbers, "<f8").astype(np.float64).reshape(-1, 4)
    boxes = np.split(table, np.cumsum(about.rows)[:-1]) if about.rows else []
    names = None if about.names is None else tuple(about.names)
    return ImportedProposals(about.format, BoxConvention(*about.convention), names, tuple(boxes))
