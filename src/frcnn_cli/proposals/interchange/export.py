"""Proposals as files for other tools."""

from __future__ import annotations

import json
import zipfile
from collections.abc import Iterable
from pathlib import Path
from typing import IO

import numpy as np

from frcnn_cli.errors import ConfigError
from frcnn_cli.files import as_utf8, atomic_file, writing
from frcnn_cli.proposals.interchange.documents import SCHEMA
from frcnn_cli.proposals.service import ProposalRun
from frcnn_cli.records import FloatArray


def check_export(file: Path) -> None:
    """Refuses a `file` that `export_proposals` could not write, before the long work.

    Raises:
        ConfigError: it is neither `.npz` nor `.json`, or its folder is missing.
    """
    if file.suffix.lower() not in {".npz", ".json"}:
        raise ConfigError(
            "is neither .npz nor .json",
            remedy=f"use --export {file.stem}.npz or {file.stem}.json",
            file=file,
        )
    if not file.parent.is_dir():
        raise ConfigError("its folder is missing", remedy=f"mkdir -p {file.parent}", file=file)


def export_proposals(run: ProposalRun, paths: Iterable[Path], file: Path) -> None:
    """Writes the boxes of each image, best first, under its path, as `.npz` or `.json`.

    An `.npz` has one (N, 4) float32 array per image, a `.json` is one object with a list of
    them (`frcnn.proposal_boxes/1`). It is written an image at a time, so memory does not grow
    with their number, and the same boxes give the same bytes. Images that failed are left out.

    Args:
        run: where the proposals are.
        paths: images, in the order of the file.
        file: ends in `.npz` or `.json`.

    Raises:
        FrcnnError: the file cannot be written.
    """
    boxes = ((path, run.proposals_for(path)) for path in paths if path not in run.failures)
    write = _write_json if file.suffix.lower() == ".json" else _write_npz
    with writing(file, remedy="choose another --export"), atomic_file(file) as stream:
        write(boxes, stream)


def _write_npz(boxes: Iterable[tuple[Path, FloatArray]], stream: IO[bytes]) -> None:
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_STORED) as archive:
        for path, array in boxes:
            with archive.open(
                zipfile.ZipInfo(f"{as_utf8(str(path))}.npy"), "w", force_zip64=True
            ) as entry:
                np.lib.format.write_array(entry, array, allow_pickle=False)


def _write_json(boxes: Iterable[tuple[Path, FloatArray]], stream: IO[bytes]) -> None:
    stream.write(f'{{"schema": {json.dumps(SCHEMA)}, "images": ['.encode())
    for i, (path, array) in enumerate(boxes):
        # Two decimals of a pixel, as in boxes.json.
        entry = {"file": str(path), "boxes": array.astype(np.float64).round(2).tolist()}
        stream.write(((",\n" if i else "\n") + json.dumps(entry)).encode())
    stream.write(b"\n]}\n")
