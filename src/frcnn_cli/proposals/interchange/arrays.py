"""NumPy archives: one array per image, its name the key. Our own export is one."""

from __future__ import annotations

from pathlib import Path

from frcnn_cli.decoding import load_archive
from frcnn_cli.errors import DataError
from frcnn_cli.proposals.interchange.convention import BoxConvention
from frcnn_cli.proposals.interchange.record import ImportedProposals, collect


def read(file: Path) -> ImportedProposals:
    """Reads an `.npz` whose arrays are (N, 4), or (N, 5) with scores.

    Raises:
        DataError: it is not such a file.
        OSError: it cannot be opened.
    """
    try:
        entries = [(name, rows, None) for name, rows in load_archive(file).items()]
    except ValueError as error:
        raise DataError(f"is not a NumPy archive of numbers ({error})") from error
    return collect("NumPy archive", BoxConvention("xyxy", "edges"), entries)
