from __future__ import annotations

import hashlib

import pytest

from frcnn_cli.cache.fingerprints import count_known, encode_fingerprints


def hashes(first: int, end: int) -> list[str]:
    return [hashlib.sha256(str(i).encode()).hexdigest() for i in range(first, end)]


def test_a_set_of_images_counts_those_that_are_in_it() -> None:
    text = encode_fingerprints(hashes(0, 100))
    assert text == encode_fingerprints([*reversed(hashes(0, 100)), hashes(5, 6)[0]])
    assert len(text) == 4 * -(-100 * 8 // 3)
    assert count_known(text, hashes(90, 130)) == 10
    assert count_known(text, []) == 0
    assert count_known(encode_fingerprints([]), hashes(0, 3)) == 0


@pytest.mark.parametrize("text", ["no base64!", "AAAA"])
def test_another_text_is_refused(text: str) -> None:
    with pytest.raises(ValueError):
        count_known(text, hashes(0, 1))
