"""The `.mat` files of the R-CNN and Fast R-CNN releases: one cell of boxes per image."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from frcnn_cli.errors import DataError, importing
from frcnn_cli.proposals.interchange.convention import BoxConvention
from frcnn_cli.proposals.interchange.record import ImportedProposals, collect, same_length

_HDF5 = b"MATLAB 7.3 MAT-file"


def read(file: Path) -> ImportedProposals:
    """Reads the variables `boxes` and `images`, cell arrays of the same length.

    Raises:
        DataError: it is not such a file, or SciPy is missing.
        OSError: it cannot be opened.
    """
    with file.open("rb") as stream:
        if stream.read(len(_HDF5)) == _HDF5:
            raise DataError(
                "is a MATLAB 7.3 file (HDF5)", remedy="save it again in MATLAB with -v7"
            )
    variables = _load(file)
    missing = [name for name in ("boxes", "images") if name not in variables]
    if missing:
        raise DataError(
            f"has no variable {missing[0]!r}", remedy="name a file with `boxes` and `images`"
        )
    cells, names = variables["boxes"].ravel(), variables["images"].ravel()
    same_length(boxes=cells, images=names)
    return collect(
        "MATLAB file of the Fast R-CNN release",
        BoxConvention("yxyx", "one"),
        ((_text(name), rows, None) for name, rows in zip(names, cells, strict=True)),
    )


def _load(file: Path) -> dict[str, Any]:
    with importing("needs SciPy", remedy="pip install 'frcnn-cli[matlab]'", error=DataError):
        from scipy.io import loadmat
    try:
        variables: dict[str, Any] = loadmat(file, variable_names=("boxes", "images"))
    except (OSError, MemoryError):
        raise
    except Exception as error:  # SciPy raises what its parser happens to stumble over
        raise DataError(f"is not a MATLAB file ({error})") from error
    return variables


def _text(cell: Any) -> str:
    """Returns the text in a cell, which SciPy gives as an array of one string."""
    while getattr(cell, "size", None) == 1 and not isinstance(cell, str):
        cell = cell.item() if cell.ndim == 0 else cell.ravel()[0]
    return str(cell)
