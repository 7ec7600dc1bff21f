"""Region proposals of one photograph."""

from __future__ import annotations

import os
from pathlib import Path

from frcnn_cli.api.photograph import PathLike, Photograph, Pixels, pixels_of
from frcnn_cli.cache.store import Cache
from frcnn_cli.config import ProposalConfig
from frcnn_cli.proposals.search import search
from frcnn_cli.proposals.service import proposals_for
from frcnn_cli.records import FloatArray


def find_proposals(
    photograph: Photograph,
    config: ProposalConfig | None = None,
    *,
    cache: PathLike | None = None,
) -> FloatArray:
    """Returns the regions (N, 4) of a photograph that may hold an object, best first.

    They are float32 xyxy in pixels of the upright photograph, at most `config.max_proposals`.

    Args:
        photograph: a file, RGB pixels (H, W, 3) uint8, or a Pillow image.
        config: how they are searched.
        cache: a folder that keeps the regions of photographs given as files.

    Raises:
        ImageError: the photograph cannot be read.
        ProposalError: it cannot be searched.
    """
    store = None if cache is None else Cache(Path(cache))
    return regions_of(photograph, pixels_of(photograph), config or ProposalConfig(), store)


def regions_of(
    photograph: Photograph, pixels: Pixels, config: ProposalConfig, cache: Cache | None
) -> FloatArray:
    """Returns the regions (N, 4) of a photograph whose pixels are at hand."""
    if cache is not None and isinstance(photograph, str | os.PathLike):
        return proposals_for(Path(photograph), config, cache, pixels)
    return search(pixels, config).boxes[: config.max_proposals or None]
