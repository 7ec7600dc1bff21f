"""PASCAL VOC XML, read and written: the one place where VOC's 1-based inclusive boxes are known.

VOC counts pixels from 1 and includes the last one; we count edges from 0. So `x1 = xmin - 1` and
`x2 = xmax`, which keeps widths and areas.
"""

from __future__ import annotations

import codecs
import math
import re
from pathlib import Path
from typing import TYPE_CHECKING
from xml.etree import ElementTree
from xml.sax.saxutils import escape

import defusedxml.ElementTree
import numpy as np
import numpy.typing as npt
from defusedxml.common import DefusedXmlException

from frcnn_cli.data.formats.layout import bare_name
from frcnn_cli.data.record import Record
from frcnn_cli.errors import AnnotationError
from frcnn_cli.files import atomic_file, reading
from frcnn_cli.records import as_boxes

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

EDGES = ("xmin", "ymin", "xmax", "ymax")
LARGEST = 1e6
"""Coordinates beyond this many pixels are a mistake; float32 is exact to 1/16 pixel below it."""

_ENCODING = re.compile(
    rb"""(?:\xef\xbb\xbf)?\s*<\?xml\s[^>]{0,99}?encoding\s*=\s*["']([A-Za-z0-9._-]+)["']"""
)
_ASCII_COMPATIBLE = {"utf-8", "utf8", "us-ascii", "ascii", "iso-8859-1", "latin1", "latin-1"}
_SUPERSETS = {
    "gb2312": "gb18030",
    "gbk": "gb18030",
    "shift_jis": "cp932",
    "big5": "big5hkscs",
    "euc-kr": "cp949",
}
"""Encodings that files declare, and those that they are really in."""

UNWRITABLE = re.compile("[\x00-\x08\x0b-\x1f\ud800-\udfff\ufffe\uffff]")
"""Characters that no XML file can hold, and the carriage return, which would not come back."""


def read_annotation(path: Path, image: Callable[[str], Path]) -> Record:
    """Reads a VOC XML file; its width, height and folders are not trusted and not looked at.

    An object is at fault where it lacks its name or a coordinate, or has one that is not a number
    of pixels.

    Args:
        path: the XML file.
        image: returns the image, given the name without a folder that the file has for it; "" where
            it has none.

    Raises:
        AnnotationError: the file cannot be read, is not VOC XML, or has no image.
    """
    root = _parse(path)
    if root.tag != "annotation":
        raise AnnotationError(
            f"is not VOC XML: its root is <{root.tag[:40]}>, not <annotation>",
            remedy="export it as Pascal VOC or remove it",
            file=path,
        )
    names, boxes, difficult, places = [], [], [], []
    faults: list[AnnotationError] = []
    for number, item in enumerate(root.findall("object"), 1):
        try:
            name, box = _name(path, number, item), _box(path, number, item)
        except AnnotationError as fault:
            faults.append(fault)
            continue
        names.append(name)
        boxes.append(box)
        difficult.append(_is_set(item.findtext("difficult")))
        places.append(f"object {number}")
    return Record(
        image(bare_name(root.findtext("filename") or "")),
        path,
        tuple(names),
        as_boxes(boxes),
        np.array(difficult, bool),
        tuple(places),
        tuple(faults),
    )


def read_names(path: Path) -> tuple[str, ...]:
    """Returns the class of each object in a VOC XML file, whatever their boxes are.

    Raises:
        AnnotationError: the file cannot be read, is not XML, or an object lacks its name.
    """
    objects = _parse(path).findall("object")
    return tuple(_name(path, i, item) for i, item in enumerate(objects, 1))


def write_annotation(
    path: Path,
    *,
    filename: str,
    size: tuple[int, int],
    names: Sequence[str],
    boxes: npt.ArrayLike,
    difficult: npt.ArrayLike | None = None,
) -> None:
    """Writes a VOC XML file that `read_annotation` loads back equal.

    Args:
        path: the XML file, which is replaced.
        filename: the image's name, without a folder.
        size: (width, height) of the image in pixels.
        names: the class of each object.
        boxes: (N, 4) xyxy, 0-based pixel edges; fractions of a pixel are kept.
        difficult: (N,) flags; None is all False.

    Raises:
        AnnotationError: a name has a character that XML cannot hold.
    """
    edges = as_boxes(boxes)
    flags = np.zeros(len(edges), bool) if difficult is None else np.asarray(difficult, bool)
    lines = [
        "<annotation>",
        f"  <filename>{escape(filename)}</filename>",
        f"  <size><width>{size[0]}</width><height>{size[1]}</height><depth>3</depth></size>",
    ]
    for name, box, flag in zip(names, edges, flags, strict=True):
        corners = zip(EDGES, box, (1, 1, 0, 0), strict=True)
        bounds = "".join(f"<{tag}>{_corner(v, base)}</{tag}>" for tag, v, base in corners)
        lines += [
            f"  <object><name>{escape(name)}</name><difficult>{int(flag)}</difficult>",
            f"    <bndbox>{bounds}</bndbox>",
            "  </object>",
        ]
    text = "\n".join([*lines, "</annotation>", ""])
    if UNWRITABLE.search(text):
        wrong = next((name for name in names if UNWRITABLE.search(name)), None)
        named = f"the image {filename!r}" if wrong is None else f"the class {wrong!r}"
        raise AnnotationError(
            f"cannot hold {named}: XML has no control characters and no undecodable bytes",
            remedy="rename it",
            file=path,
        )
    with atomic_file(path, durable=False) as stream:
        stream.write(text.encode())


def _corner(edge: np.float32, base: int) -> str:
    """Returns VOC's number for an edge, as short as it can be and still be read as that edge."""
    value = float(edge) + base
    short = f"{value:.7g}"
    return short if np.float32(float(short) - base) == edge else f"{value:.17g}"


def _parse(path: Path) -> ElementTree.Element:
    try:
        with reading(path, AnnotationError):
            content = path.read_bytes()
        return _parsed(content)
    except DefusedXmlException as error:
        raise AnnotationError(
            "declares XML entities, which annotations never need",
            remedy="remove the file or its DOCTYPE",
            file=path,
        ) from error
    except (ElementTree.ParseError, ValueError, LookupError) as error:
        raise AnnotationError(
            f"is not XML ({error})", remedy="fix or remove the file", file=path
        ) from error


def _parsed(content: bytes) -> ElementTree.Element:
    """Parses XML in any encoding that Python knows; expat knows only a few."""
    declared = _ENCODING.match(content)
    name = declared[1].decode().lower() if declared else ""
    if declared and name not in _ASCII_COMPATIBLE and not name.startswith("utf-16"):
        marked = content.startswith(codecs.BOM_UTF8)
        text = content[declared.end() :].decode("utf-8" if marked else _SUPERSETS.get(name, name))
        content = b"<?xml version='1.0'" + text.encode()
    plain = b"<!DOCTYPE" not in content and b"\x00" not in content
    # Only a DOCTYPE can declare entities; without one the parser in C, which is quicker, will do.
    parse = ElementTree.fromstring if plain else defusedxml.ElementTree.fromstring
    root: ElementTree.Element = parse(content)
    return root


def _name(path: Path, number: int, item: ElementTree.Element) -> str:
    name = " ".join((item.findtext("name") or "").split())
    if not name:
        raise AnnotationError(
            f"object {number} has no <name>", remedy="name its class or remove it", file=path
        )
    return name


def _box(path: Path, number: int, item: ElementTree.Element) -> tuple[float, ...]:
    label = f"object {number} ({' '.join((item.findtext('name') or '').split())})"
    bounds = item.find("bndbox")
    if bounds is None:
        raise AnnotationError(f"{label} has no <bndbox>", remedy="give it a box", file=path)
    values, wrong = [], []
    for tag in EDGES:
        text = (bounds.findtext(tag) or "").strip()
        try:
            value = float(text)
        except ValueError:
            value = math.nan
        if not abs(value) <= LARGEST:
            wrong.append(f"{tag} {text[:40]!r}")
        values.append(value)
    if wrong:
        raise AnnotationError(
            f"{label} has {', '.join(wrong)}", remedy="give it a number of pixels", file=path
        )
    xmin, ymin, xmax, ymax = values
    return xmin - 1, ymin - 1, xmax, ymax


def _is_set(flag: str | None) -> bool:
    return (flag or "").strip().lower() in {"1", "true", "yes"}
