"""Readers of other tools' proposals, by the ending of a file. They run in a process apart."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

from frcnn_cli.decoding import load_archive
from frcnn_cli.errors import DataError
from frcnn_cli.proposals.interchange import documents, matlab, pickles
from frcnn_cli.proposals.interchange.convention import BoxConvention
from frcnn_cli.proposals.interchange.record import ImportedProposals, collect


def read_archive(file: Path) -> ImportedProposals:
    """Reads an `.npz` of one array (N, 4) per image, or (N, 5) with scores, its name the key.

    Our own export is one.

    Raises:
        DataError: it is not such a file.
        OSError: it cannot be opened.
    """
    try:
        entries = [(name, rows, None) for name, rows in load_archive(file).items()]
    except ValueError as error:
        raise DataError(f"is not a NumPy archive of numbers ({error})") from error
    return collect("NumPy archive", BoxConvention("xyxy", "edges"), entries)


READERS: Mapping[str, Callable[[Path], ImportedProposals]] = {
    ".mat": matlab.read,
    ".pkl": pickles.read,
    ".pickle": pickles.read,
    ".npz": read_archive,
    ".json": documents.read,
}
