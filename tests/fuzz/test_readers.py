"""Damaged and hostile files for every reader; `make fuzz` gives them thousands.

`FRCNN_FUZZ_EXAMPLES` is the number of files for each reader and way of making them, and
`FRCNN_FUZZ_SECONDS` the time after which no more are made.
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any
from unittest import SkipTest

import pytest
from hypothesis import given
from hypothesis import strategies as st

from support.fuzzing import fuzzed
from support.readers import READERS, check
from support.whole_files import COCO, SEEDS

SECONDS = float(os.environ.get("FRCNN_FUZZ_SECONDS", "inf"))

TOKENS = (
    *(b"NaN", b"-Infinity", b"1e308", b"1e999", b"9" * 400, b"-" + b"9" * 5000, b"0x10", b"1_0"),
    *(b"../", b"/etc/passwd", b"..\\", b"C:\\", b"\0", b"\xff\xfe", b"\xef\xbb\xbf", b"\xe9"),
    *(b"null", b"true", b"[]", b"{}", b'""', b"[[[[" * 300, b'{"a":' * 1000, b"&amp;", b"&x;"),
    *(b"<!DOCTYPE a>", b"!!python/name:os.system", b"*a", b"&a ", b"<<: ", b"\n", b"\r\n", b" "),
    *("\u202e\u2028\ud7ff".encode(), b"\xed\xa0\x80", b"\x1b[2J", b"%s%n"),
    *(b"\xff\xff\xff\xff", b"\0\0\0\0", b"\x7f\xff\xff\xff", b"\x80"),
)


@st.composite
def damaged(draw: st.DrawFn, seeds: list[bytes]) -> bytes:
    """A whole file with some of it cut out, doubled, or replaced by what breaks readers."""
    content = draw(st.sampled_from(seeds))
    for _ in range(draw(st.integers(0, 4))):
        start = draw(st.integers(0, len(content)))
        end = min(start + draw(st.integers(0, 24)), len(content))
        filling = draw(
            st.one_of(
                st.sampled_from(TOKENS),
                st.binary(max_size=8),
                st.just(b""),
                st.just(content[start:end] * 2),
            )
        )
        content = content[:start] + filling + content[end:]
    if draw(st.booleans()):
        content = content[: draw(st.integers(0, len(content)))]
    return draw(st.sampled_from((content, content, content, _recoded(content))))


def _recoded(content: bytes) -> bytes:
    return content.decode("latin-1").encode("utf-16")


Give = Callable[[st.SearchStrategy[bytes], str], None]


@pytest.fixture
def give(record_property: Callable[[str, int], None]) -> Give:
    """Gives files to a reader, and records how many."""

    def counted(files: st.SearchStrategy[bytes], name: str) -> None:
        record_property("damaged files read", _give(files, name))

    return counted


def _give(files: st.SearchStrategy[bytes], name: str) -> int:
    """Gives `files` to the reader `name`, until there are enough or the time is over.

    Returns how many.

    Once one breaks it, hypothesis takes the time that it needs to make that one small.
    """
    end, broken, given_files = time.monotonic() + SECONDS, False, 0

    @fuzzed
    @given(files)
    def one(content: bytes) -> None:
        nonlocal broken, given_files
        if not broken and time.monotonic() > end:
            raise SkipTest  # which hypothesis lets through at once
        given_files += 1
        try:
            check(name, content)
        except BaseException:
            broken = True
            raise

    with suppress(SkipTest):
        one()
    return given_files


@pytest.mark.parametrize("name", READERS)
def test_whole_files_are_read(name: str) -> None:
    for seed in SEEDS[name]:
        check(name, seed)


@pytest.mark.parametrize("name", READERS)
def test_damaged_files(give: Give, name: str) -> None:
    give(damaged(list(SEEDS[name])), name)


@pytest.mark.parametrize("name", READERS)
def test_any_bytes(give: Give, name: str) -> None:
    give(st.binary(max_size=200), name)


numbers = st.one_of(
    st.integers(), st.floats(), st.sampled_from([10**400, -(10**20), 2**53, 1e308, -0.0])
)
values = st.recursive(
    st.one_of(st.none(), st.booleans(), numbers, st.text(max_size=5)),
    lambda inner: st.one_of(
        st.lists(inner, max_size=4), st.dictionaries(st.text(max_size=3), inner, max_size=3)
    ),
    max_leaves=8,
)


@st.composite
def reshaped(draw: st.DrawFn, document: Any) -> Any:
    """The document with a few of its values replaced by any other, or left out."""
    copy = json.loads(json.dumps(document))
    for _ in range(draw(st.integers(1, 3))):
        parent: Any = copy
        while True:
            keys = list(parent) if isinstance(parent, dict) else list(range(len(parent)))
            if not keys:
                break
            key = draw(st.sampled_from(keys))
            below = parent[key]
            if isinstance(below, dict | list) and below and draw(st.integers(0, 4)):
                parent = below
                continue
            if draw(st.booleans()):
                parent[key] = draw(values)
            else:
                del parent[key]
            break
    return copy


DOCUMENTS: dict[str, list[Any]] = {
    "coco": [json.loads(COCO)],
    "detections": [json.loads(seed) for seed in SEEDS["detections"]],
    "cache_record": [json.loads(SEEDS["cache_record"][0])],
    "run_config": [json.loads(SEEDS["run_config"][0])],
    "report": [json.loads(SEEDS["report"][0])],
    "proposals_json": [json.loads(seed) for seed in SEEDS["proposals_json"]],
}


@pytest.mark.parametrize("name", DOCUMENTS)
def test_json_of_unexpected_shape(give: Give, name: str) -> None:
    give(st.one_of([reshaped(document) for document in DOCUMENTS[name]]).map(_as_json), name)


@pytest.mark.parametrize("name", DOCUMENTS)
def test_any_json(give: Give, name: str) -> None:
    give(values.map(_as_json), name)


def _as_json(document: Any) -> bytes:
    return json.dumps(document).encode()


def test_nothing_was_executed() -> None:
    """The pickles among the seeds make this file where they are run."""
    assert not Path("/tmp/frcnn-was-here").exists()
    assert b"system" in SEEDS["pth"][2]
