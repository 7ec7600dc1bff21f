"""What `frcnn cache` and `frcnn doctor` give."""

from __future__ import annotations

from typing import Literal

from schemas.common import FAILED_FILES, Count, Fraction, object_type, schema_type

_ENTRIES = object_type("Entries", kind=str, made_by=str, entries=Count, bytes=Count, used=float)
_RUN = object_type("Run", name=str, steps=Count, map_val=Fraction | None, bytes=Count, used=float)
CACHE = schema_type(
    "frcnn.cache/1",
    cache=(str, "the folder"),
    bytes=(Count, "its total size"),
    kinds=(
        list[_ENTRIES],
        "list of `kind`, `made_by`, `entries`, `bytes`, `used` (last use, seconds since 1970)",
    ),
    runs=(list[_RUN], "list of `name`, `steps`, `map_val` (or `null`), `bytes`, `used`"),
    temporary=(
        _ENTRIES | None,
        "like an entry of `kinds`, for the files of unfinished writes, or `null`",
    ),
)
VERIFY = schema_type(
    "frcnn.cache-verify/1",
    cache=(str, "the folder"),
    whole=(Count, "number of intact files"),
    damaged=FAILED_FILES,
    later=(FAILED_FILES[0], "the same of files of a later version"),
    mended=(list[str], "files that `--repair` removed or set aside"),
)
GC = schema_type(
    "frcnn.cache-gc/1",
    cache=(str, "the folder"),
    dry_run=(bool, "whether this was a dry run, which removes nothing"),
    bytes=(Count, "bytes freed"),
    removed=(list[object_type("Removed", file=str, reason=str)], "`file` and `reason` of each"),
)
_CHECK = object_type(
    "Check", name=str, state=Literal["ok", "warning", "broken"], found=str, remedy=str
)
DOCTOR = schema_type(
    "frcnn.doctor/1",
    broken=(Count, "number of lines with ✗"),
    warnings=(Count, "number of lines with !"),
    checks=(
        list[_CHECK],
        "list of `name`, `state` (`ok`, `warning`, `broken`), `found` and `remedy`",
    ),
)
