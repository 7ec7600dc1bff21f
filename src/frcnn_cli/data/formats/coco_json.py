"""COCO JSON as a file: what it looks like, and its lists with every entry still to be decoded."""

from __future__ import annotations

import mmap
import re
from pathlib import Path
from typing import Annotated

import msgspec

from frcnn_cli.errors import AnnotationError
from frcnn_cli.files import reading

HEAD = 1 << 14
"""Bytes in which a COCO file shows what it is."""

BOM = b"\xef\xbb\xbf"

_LISTS = re.compile(rb'"(images|annotations|categories)"\s*:\s*\[')
_OURS = re.compile(rb'"schema"\s*:\s*"frcnn\.')
_NOT_A_NUMBER = re.compile(rb"(?<=[\[,:\s])-?(?:NaN|Infinity)(?=[\s,\]}])")

_Number = Annotated[int, msgspec.Meta(ge=-(2**53), le=2**53)]
_Flag = bool | int


class Image(msgspec.Struct, gc=False):
    """An entry of `images`."""

    id: _Number | str
    file_name: str


class Annotation(msgspec.Struct, gc=False):
    """An entry of `annotations`."""

    image_id: _Number | str
    category_id: _Number
    bbox: Annotated[list[float], msgspec.Meta(min_length=4, max_length=4)]
    iscrowd: _Flag = 0
    ignore: _Flag = 0


class Category(msgspec.Struct, gc=False):
    """An entry of `categories`."""

    id: _Number
    name: str


class CocoLists(msgspec.Struct):
    """A COCO file; None is a list that is not there."""

    images: list[msgspec.Raw] | None = None
    annotations: list[msgspec.Raw] | None = None
    categories: list[msgspec.Raw] | None = None


class OfImage(msgspec.Struct, gc=False):
    """The part of an annotation that says whose it is."""

    image_id: _Number | str


def looks_like_coco(path: Path) -> bool:
    """Returns whether the beginning of a file looks like COCO's annotations."""
    try:
        with path.open("rb") as stream:
            head = stream.read(HEAD)
    except OSError:
        return False
    head = head.removeprefix(BOM).lstrip()
    return head.startswith(b"{") and bool(_LISTS.search(head)) and not _OURS.search(head)


def _contents(path: Path) -> memoryview:
    """Returns the bytes of a file without its byte order mark."""
    with reading(path, AnnotationError), path.open("rb") as stream:
        if not stream.read(1):
            raise AnnotationError("is empty", remedy="export it again", file=path)
        data = memoryview(mmap.mmap(stream.fileno(), 0, access=mmap.ACCESS_READ))
    return data[3:] if bytes(data[:3]) == BOM else data


def read_lists(path: Path) -> CocoLists:
    """Returns the lists of a COCO file; an entry is decoded when asked, from the mapped file.

    Raises:
        AnnotationError: it cannot be read or is not JSON.
    """
    data = _contents(path)
    try:
        try:
            return msgspec.json.decode(data, type=CocoLists)
        except msgspec.ValidationError:
            raise
        except ValueError:
            # Python writes NaN, which is not JSON; as null, it costs one image, not the file.
            mended, count = _NOT_A_NUMBER.subn(b"null", data)
            if not count:
                raise
            return msgspec.json.decode(mended, type=CocoLists)
    except (ValueError, RecursionError) as error:
        raise AnnotationError(
            f"is not COCO JSON ({told(error)})", remedy="export it again as UTF-8", file=path
        ) from error


def told(error: Exception) -> str:
    """Returns what a decoder complains of, to go on a sentence."""
    text = str(error)
    return (text[:1].lower() + text[1:])[:200]
