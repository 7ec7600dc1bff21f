"""One HTML file of many images with their detections, to look through in a browser."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from PIL import Image

from frcnn_cli.data.images import Pixels
from frcnn_cli.detection.inputs import ImageInput
from frcnn_cli.detection.show import Show
from frcnn_cli.errors import ConfigError, DataError
from frcnn_cli.files import as_utf8, atomic_file, writing
from frcnn_cli.plotting.pages import jpeg_uri, templates_of
from frcnn_cli.plotting.palette import as_hex, class_colour
from frcnn_cli.records import DetectedImage

PAGE = "index.html"
_GENERATOR = b'<meta name="generator" content="frcnn detect">'
_PLACE = "<!-- images -->"
_SIDES = {50: 1600, 500: 1000}
"""Pixels of the longer side of an image in a page of up to so many: a browser loads all of them."""
_SMALLEST_SIDE, _QUALITY = 500, 82


def require_page_folder(folder: Path | None) -> None:
    """Refuses a folder that holds another tool's page, before the long work.

    Raises:
        ConfigError: it is a file, or its `index.html` is not from here.
    """
    if folder is None:
        return
    if folder.exists() and not folder.is_dir():
        raise ConfigError("is not a folder", remedy="name a folder with --page", file=folder)
    page = folder / PAGE
    if page.exists() and _GENERATOR not in page.read_bytes()[:2000]:
        raise ConfigError(
            f"holds an {PAGE} that is not from frcnn detect",
            remedy="name another folder with --page",
            file=folder,
        )


@contextmanager
def open_page(
    folder: Path, images: int, classes: Sequence[str], *, scores: tuple[float, float]
) -> Iterator[Show]:
    """Yields a function that puts an image into `folder/index.html`, which appears at the end.

    The page needs no other file. Where the block is left by an exception there is none.

    Args:
        folder: is made if need be.
        images: how many there will be, on which their size depends.
        classes: names of the labels 1..K.
        scores: the least that a detection may have, and the least that is shown at first.

    Raises:
        DataError: the page cannot be written.
    """
    page = folder / PAGE
    side = next((pixels for most, pixels in _SIDES.items() if images <= most), _SMALLEST_SIDE)
    script = (Path(__file__).parent / "templates/page.js").read_text("utf-8")
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    templates = templates_of("frcnn_cli.detection")
    templates.filters["colour"] = lambda label: as_hex(class_colour(label))
    whole = templates.get_template("page.html.j2")
    figure = templates.get_template("image.html.j2")
    text = whole.render(least=scores[0], shown=scores[1], script=script, digest=digest)
    head, tail = text.split(_PLACE)
    remedy = "name a folder that you can write to"
    with writing(page, DataError, remedy=remedy, make_folder=True), atomic_file(page) as stream:

        def show(_: ImageInput, found: DetectedImage, pixels: Pixels) -> None:
            picture = Image.fromarray(pixels)
            picture.thumbnail((side, side))
            entry, name = found.to_json(classes), as_utf8(found.file)
            source = jpeg_uri(picture, _QUALITY)
            stream.write(figure.render(entry=entry, name=name, source=source).encode())

        stream.write(head.encode())
        yield show
        stream.write(tail.encode())
