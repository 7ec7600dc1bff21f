"""COCO JSON as a file: what it looks like, and its lists with every entry still to be decoded."""

from __future__ import annotations

import codecs
import mmap
import re
from pathlib import Path
from typing import Annotated

import msgspec

from frcnn_cli.errors import AnnotationError
from frcnn_cli.files import reading

HEAD = 1 << 14
"""Bytes in which a file of our own shows its schema."""

BOM = codecs.BOM_UTF8

_KEYS = (b'"images"', b'"annotations"', b'"categories"')
_A_LIST = re.compile(rb"\s*:\s*\[")
_OURS = re.compile(rb'"schema"\s*:\s*"frcnn\.')
_NOT_A_NUMBER = re.compile(rb"(?<=[\[,:\s])-?(?:NaN|Infinity)(?=[\s,\]}])")

_Number = Annotated[int, msgspec.Meta(ge=-(2**63), le=2**63 - 1)]
_Id = _Number | float | str
_Flag = bool | int | float | str | None


class Image(msgspec.Struct, gc=False):
    """An entry of `images`."""

    id: _Id
    file_name: str = ""
    coco_url: str = ""


class CocoAnnotation(msgspec.Struct, gc=False):
    """An entry of `annotations`."""

    image_id: _Id | None
    category_id: _Id
    bbox: Annotated[list[float], msgspec.Meta(min_length=4, max_length=4)]
    iscrowd: _Flag = 0
    ignore: _Flag = 0


class Category(msgspec.Struct, gc=False):
    """An entry of `categories`."""

    id: _Id
    name: str


class CocoLists(msgspec.Struct):
    """A COCO file; None is a list that is not there."""

    images: list[msgspec.Raw] | None = None
    annotations: list[msgspec.Raw] | None = None
    categories: list[msgspec.Raw] | None = None


class OfImage(msgspec.Struct, gc=False):
    """The part of an annotation that names its image."""

    image_id: _Id


def whole(value: float | str) -> int | None:
    """Returns the whole number that an id means (4, 4.0 and "4" are 4), or None."""
    if isinstance(value, int):
        return value
    try:
        return int(value) if isinstance(value, str) else _exact(value)
    except ValueError:
        pass
    try:
        return _exact(float(value))
    except ValueError:
        return None


def _exact(value: float) -> int | None:
    return int(value) if value.is_integer() and abs(value) <= 2**53 else None


def id_text(value: float | str) -> str:
    """Returns an id as text, the same of 4 and of 4.0."""
    if isinstance(value, float):
        number = whole(value)
        return str(value if number is None else number)
    return str(value)


def is_set(flag: float | str | None) -> bool:
    """Returns what a flag means, however it is written."""
    if isinstance(flag, str):
        return flag.strip().lower() in {"1", "1.0", "true", "yes"}
    return bool(flag)


def looks_like_coco(path: Path) -> bool:
    """Returns whether a file is an object with one of COCO's lists, and not one of ours."""
    try:
        data = _contents(path)
    except AnnotationError:
        return False
    head = data[:HEAD].removeprefix(BOM).lstrip()
    if not head.startswith(b"{") or _OURS.search(head):
        return False
    return any(_has_list(data, key) for key in _KEYS)


def _has_list(data: mmap.mmap | bytes, key: bytes) -> bool:
    place = data.find(key)
    while place >= 0 and not _A_LIST.match(data, place + len(key)):
        place = data.find(key, place + 1)
    return place >= 0


def _contents(path: Path) -> mmap.mmap | bytes:
    """Maps a file; one in UTF-16, which PowerShell writes, is converted to UTF-8."""
    with reading(path, AnnotationError), path.open("rb") as stream:
        start = stream.read(2)
        if start in (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE):
            return path.read_bytes().decode("utf-16", errors="replace").encode()
        if not start:
            raise AnnotationError("is empty", remedy="export it again", file=path)
        return mmap.mmap(stream.fileno(), 0, access=mmap.ACCESS_READ)


def read_lists(path: Path) -> CocoLists:
    """Returns the lists of a COCO file; an entry is decoded when asked, from the mapped file.

    Raises:
        AnnotationError: it cannot be read or is not JSON.
    """
    mapped = _contents(path)
    data = memoryview(mapped)[3 if mapped[:3] == BOM else 0 :]
    try:
        try:
            return msgspec.json.decode(data, type=CocoLists)
        except msgspec.ValidationError:
            raise
        except ValueError:
            # Python writes NaN, which is not JSON; as null, it costs one image, not the file.
            fixed, count = _NOT_A_NUMBER.subn(b"null", data)
            if not count:
                raise
            return msgspec.json.decode(fixed, type=CocoLists)
    except (ValueError, RecursionError) as error:
        raise AnnotationError(
            f"is not COCO JSON ({reason_of(error)})", remedy="export it again as UTF-8", file=path
        ) from error


def reason_of(error: Exception) -> str:
    """Returns the message of a decoder, short and to be put into a sentence."""
    text = str(error)
    return (text[:1].lower() + text[1:])[:200]
