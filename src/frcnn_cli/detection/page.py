"""One HTML file of many images with their detections, to look through in a browser."""

from __future__ import annotations

import base64
import hashlib
import io
from collections.abc import Generator, Sequence
from contextlib import closing
from functools import lru_cache
from pathlib import Path

from jinja2 import Environment, PackageLoader, StrictUndefined
from PIL import Image

from frcnn_cli.data.images import Pixels
from frcnn_cli.detection.inputs import ImageInput
from frcnn_cli.errors import ConfigError, DataError, FrcnnError
from frcnn_cli.files import as_utf8, atomic_file, writing
from frcnn_cli.plotting.palette import class_colour
from frcnn_cli.records import DetectedImage

PAGE = "index.html"
_GENERATOR = b'<meta name="generator" content="frcnn detect">'
_PLACE = "<!-- images -->"
_SIDES = {50: 1600, 500: 1000}
"""Pixels of the longer side of an image in a page of up to so many: a browser loads all of them."""
_SMALLEST_SIDE = 500


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


def page_each(
    results: Generator[DetectedImage | FrcnnError],
    folder: Path,
    images: Sequence[ImageInput],
    classes: Sequence[str],
    *,
    scores: tuple[float, float],
) -> Generator[DetectedImage | FrcnnError]:
    """Yields `results`, each put into `folder/index.html`, which appears at the end.

    The page needs no other file. It has what was yielded until the generator was closed.

    Args:
        results: of `images`, in their order.
        folder: is made if need be.
        images: files, or frames of videos.
        classes: names of the labels 1..K.
        scores: the least that a detection may have, and the least that is shown at first.

    Raises:
        DataError: the page cannot be written.
    """
    page, side = folder / PAGE, _SMALLEST_SIDE
    side = next((pixels for most, pixels in _SIDES.items() if len(images) <= most), side)
    script = (Path(__file__).parent / "templates/page.js").read_text("utf-8")
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    whole = _environment().get_template("page.html.j2")
    head, tail = whole.render(least=scores[0], shown=scores[1], script=script, digest=digest).split(
        _PLACE
    )
    folder.mkdir(parents=True, exist_ok=True)
    remedy = "name a folder that you can write to"
    with closing(results), writing(page, DataError, remedy=remedy), atomic_file(page) as stream:
        stream.write(head.encode())
        try:
            for image, result in zip(images, results, strict=True):
                if isinstance(result, FrcnnError):
                    yield result
                    continue
                try:
                    pixels = image.load()
                except FrcnnError as error:
                    yield error
                    continue
                stream.write(_figure(result, pixels, classes, side).encode())
                yield result
        except GeneratorExit:
            pass  # the page is finished with what there is
        stream.write(tail.encode())


def _figure(found: DetectedImage, pixels: Pixels, classes: Sequence[str], side: int) -> str:
    picture = Image.fromarray(pixels)
    picture.thumbnail((side, side))
    stream = io.BytesIO()
    picture.save(stream, "JPEG", quality=82)
    entry = found.to_json(tuple(classes))
    return (
        _environment()
        .get_template("image.html.j2")
        .render(
            entry=entry,
            name=as_utf8(found.file),
            source=f"data:image/jpeg;base64,{base64.b64encode(stream.getvalue()).decode()}",
        )
    )


@lru_cache(maxsize=1)
def _environment() -> Environment:
    environment = Environment(
        loader=PackageLoader("frcnn_cli.detection"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["colour"] = lambda label: "#{:02x}{:02x}{:02x}".format(*class_colour(label))
    return environment
