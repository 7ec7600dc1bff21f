"""Region proposals of one image."""

from __future__ import annotations

import os
from pathlib import Path

from frcnn_cli.api.image import ImageSource, PathLike, pixels_of
from frcnn_cli.cache.store import Cache
from frcnn_cli.config import ProposalConfig
from frcnn_cli.proposals.search import search
from frcnn_cli.proposals.service import proposals_for
from frcnn_cli.records import FloatArray


def find_proposals(
    image: ImageSource, config: ProposalConfig | None = None, *, cache: PathLike | None = None
) -> FloatArray:
    """Returns the regions (N, 4) of an image that may hold an object, best first.

    They are float32 xyxy in pixels of the upright image, at most `config.max_proposals`.

    Args:
        image: a file, RGB pixels (H, W, 3) uint8, or a Pillow image.
        config: how they are searched.
        cache: a folder that keeps the proposals of images given as files.

    Raises:
        ImageError: the image cannot be read.
        ProposalError: it cannot be searched.
    """
    config = config or ProposalConfig()
    pixels = pixels_of(image)
    if cache is not None and isinstance(image, str | os.PathLike):
        return proposals_for(Path(image), config, Cache(Path(cache)), pixels)
    return search(pixels, config)[: config.cap]
