"""HTML pages that need no other file: their templates, and pictures inside of them."""

from __future__ import annotations

import base64
import io

from jinja2 import Environment, PackageLoader, StrictUndefined
from PIL import Image


def templates_of(package: str) -> Environment:
    """Returns the templates of a package, such as "frcnn_cli.detection"; text is escaped."""
    return Environment(
        loader=PackageLoader(package),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )


def jpeg_uri(picture: Image.Image, quality: int) -> str:
    """Returns a picture as the `data:` URI of a JPEG; `quality` is Pillow's, 1..95."""
    stream = io.BytesIO()
    picture.save(stream, "JPEG", quality=quality, optimize=True)
    return "data:image/jpeg;base64," + base64.b64encode(stream.getvalue()).decode()
