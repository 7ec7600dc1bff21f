"""Proposals that other tools made: their files, and how their numbers are to be read."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

from frcnn_cli.errors import DataError
from frcnn_cli.files import reading
from frcnn_cli.proposals.interchange import arrays, documents, matlab, pickles
from frcnn_cli.proposals.interchange.record import ImportedProposals

_READERS: Mapping[str, Callable[[Path], ImportedProposals]] = {
    ".mat": matlab.read,
    ".pkl": pickles.read,
    ".pickle": pickles.read,
    ".npz": arrays.read,
    ".json": documents.read,
}


def read_proposals(file: Path) -> ImportedProposals:
    """Reads a file of proposals; its ending tells the format. Nothing in it is executed.

    Raises:
        DataError: it cannot be read, is of another format, or holds no boxes.
    """
    reader = _READERS.get(file.suffix.lower())
    if reader is None:
        raise DataError(
            f"ends in {file.suffix!r}", remedy=f"name a file with {', '.join(_READERS)}", file=file
        )
    try:
        with reading(file):
            found = reader(file)
    except DataError as error:
        raise DataError(error.problem, remedy=error.remedy, file=file) from error
    if not found.boxes:
        raise DataError("holds no images", file=file)
    return found
