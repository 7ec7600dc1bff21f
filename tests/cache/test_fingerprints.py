from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from frcnn_cli.cache.checkpoints import CheckpointInfo, save_checkpoint
from frcnn_cli.cache.fingerprints import count_known, encode_fingerprints, fingerprints_of
from frcnn_cli.config import InputConfig, ModelConfig


def hashes(first: int, end: int) -> list[str]:
    return [hashlib.sha256(str(i).encode()).hexdigest() for i in range(first, end)]


def test_a_set_of_images_counts_those_that_are_in_it() -> None:
    text = encode_fingerprints(hashes(0, 100))
    assert text == encode_fingerprints([*reversed(hashes(0, 100)), hashes(5, 6)[0]])
    assert len(text) == 4 * -(-100 * 8 // 3)
    assert count_known(text, hashes(90, 130)) == 10
    assert count_known(text, []) == 0
    assert count_known(encode_fingerprints([]), hashes(0, 3)) == 0


def test_sets_are_joined() -> None:
    both = encode_fingerprints(hashes(50, 120), encode_fingerprints(hashes(0, 100)))
    assert both == encode_fingerprints(hashes(0, 120))
    assert encode_fingerprints([], both) == both


@pytest.mark.parametrize("images", [None, "no base64!", ["a"], 3])
def test_a_checkpoint_that_does_not_say_knows_no_image(tmp_path: Path, images: object) -> None:
    file = tmp_path / "best.safetensors"
    info = CheckpointInfo(ModelConfig(), ("bee",), InputConfig(), {"images": images})
    save_checkpoint(file, {}, info)
    assert fingerprints_of(file) == fingerprints_of(None) == fingerprints_of(tmp_path) == ""


@pytest.mark.parametrize("text", ["no base64!", "AAAA"])
def test_another_text_is_refused(text: str) -> None:
    with pytest.raises(ValueError):
        count_known(text, hashes(0, 1))
