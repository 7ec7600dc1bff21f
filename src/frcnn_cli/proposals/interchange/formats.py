"""Readers of other tools' proposals, by the ending of a file. They run in a process apart."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

from frcnn_cli.proposals.interchange import arrays, documents, matlab, pickles
from frcnn_cli.proposals.interchange.record import ImportedProposals

READERS: Mapping[str, Callable[[Path], ImportedProposals]] = {
    ".mat": matlab.read,
    ".pkl": pickles.read,
    ".pickle": pickles.read,
    ".npz": arrays.read,
    ".json": documents.read,
}
