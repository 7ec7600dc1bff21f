"""Short content hashes of a set of images, which tell whether an image is one of them."""

from __future__ import annotations

import base64
from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt

from frcnn_cli.cache.checkpoints import read_training_facts

_DIGITS = 16
"""Hex digits of each hash: 8 bytes, 1.3 MB as text for 120,000 images. The chance that one of 5,000
others is taken for one of those is 3e-11."""


def encode_fingerprints(hashes: Iterable[str], known: str = "") -> str:
    """Returns a set of content hashes (hex digits) as text; their order does not matter.

    Args:
        hashes: of images.
        known: another set, which is joined to them.

    Raises:
        ValueError: `known` is not such a set.
    """
    both = np.union1d(_numbers(hashes), _decoded(known)).astype(">u8")
    return base64.b64encode(both.tobytes()).decode("ascii")


def fingerprints_of(checkpoint: Path | None) -> str:
    """Returns the images that a checkpoint and its first weights were trained on, as a set.

    It is empty for None, for other files, and for checkpoints that do not say.
    """
    known = "" if checkpoint is None else read_training_facts(checkpoint).get("images", "")
    try:
        return encode_fingerprints([], known)
    except (TypeError, ValueError):  # another kind of value, or no such set
        return ""


def count_known(fingerprints: str, hashes: Sequence[str]) -> int:
    """Returns how many of `hashes` are in a set of `encode_fingerprints`.

    Raises:
        ValueError: the text is not such a set.
    """
    return int(np.isin(_numbers(hashes), _decoded(fingerprints)).sum())


def _decoded(fingerprints: str) -> npt.NDArray[np.uint64]:
    return np.frombuffer(base64.b64decode(fingerprints, validate=True), ">u8")


def _numbers(hashes: Iterable[str]) -> npt.NDArray[np.uint64]:
    return np.array([int(each[:_DIGITS], 16) for each in hashes], ">u8")
