"""Image files of every kind, read as upright RGB pixels, and resized.

EXIF orientation is applied, transparency is laid on white, 16-bit grey is scaled to 8 bits, of an
animation the first frame is taken, with a warning. Colour profiles are not applied.
"""

from __future__ import annotations

import io
import logging
import re
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from PIL import ExifTags, Image, ImageChops, UnidentifiedImageError

from frcnn_cli.config import InputConfig
from frcnn_cli.errors import ImageError
from frcnn_cli.files import advice_on_missing, require_no_pipe
from frcnn_cli.records import FloatArray

_FORMATS = (
    *("JPEG", "PNG", "WEBP", "TIFF", "BMP", "GIF", "PPM", "JPEG2000"),
    *(("AVIF",) if find_spec("PIL.AvifImagePlugin") else ()),  # since Pillow 11.3
)
"""Pillow's names of the formats that are read; MPO is opened as JPEG.

No other decoder sees a file: the one for PostScript runs a program on what the file holds.
"""

UNREAD = {
    b"....ftyp(hei[cmsx]|hev[cmsx]|mif1|msf1)": "a HEIC image",
    b"\xff\x0a|\x00\x00\x00\x0cJXL ": "a JPEG XL image",
    b"%PDF-": "a PDF",
    b"%!PS|\xc5\xd0\xd3\xc6": "PostScript",
    b"<(svg|\\?xml)": "a drawing (SVG or XML)",
}
"""First bytes of files that are not read but are often taken for images, and what they are."""

TRANSPOSITIONS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
"""The transposition that makes an image upright, by the value of its EXIF orientation."""

Pixels = npt.NDArray[np.uint8]

log = logging.getLogger(__name__)


class Resized(NamedTuple):
    """A resized image.

    Attributes:
        pixels: (h, w, 3) uint8, RGB.
        scale: (4,) float32; xyxy in the image times this is xyxy in `pixels`.
    """

    pixels: Pixels
    scale: FloatArray


def load_image(path: Path | str | bytes) -> Pixels:
    """Returns the image at `path`, or in bytes, as upright RGB pixels (H, W, 3) uint8, writable.

    Raises:
        ImageError: the file is missing, no image, damaged, or too large to be one.
    """
    with _opened(path if isinstance(path, bytes) else Path(path)) as image:
        frames = getattr(image, "n_frames", 1)
        if frames > 1 and image.format != "MPO":  # whose other frames are views and previews
            _warn_of_frames("the image" if isinstance(path, bytes) else str(path), frames)
        return _upright(image)


@cache
def _warn_of_frames(name: str, frames: int) -> None:
    """Says it once per image, which is read again for its picture and in each epoch."""
    log.warning("%s: has %d frames or pages; the first is used", name, frames)


def upright_pixels(image: Image.Image) -> Pixels:
    """Returns an open picture, or its first frame, as `load_image` does a file.

    Raises:
        ImageError: its file is damaged, which shows when its pixels are read.
    """
    with _explaining(None):
        return _upright(image)


def resize(image: Pixels, size: InputConfig) -> Resized:
    """Returns an image (H, W, 3) with its short side at `size.short_side`, long side capped.

    Raises:
        ImageError: there is no memory for so many pixels.
    """
    import cv2  # noqa: PLC0415  a broken OpenCV is an error of its own

    height, width = image.shape[:2]
    factor = min(size.short_side / min(height, width), size.long_side / max(height, width))
    new_width, new_height = max(round(width * factor), 1), max(round(height * factor), 1)
    method = cv2.INTER_AREA if factor < 1 else cv2.INTER_LINEAR
    try:
        pixels = cv2.resize(image, (new_width, new_height), interpolation=method)
    except cv2.error as error:  # it has no memory for it
        raise ImageError(
            f"cannot be resized to {new_width:,} × {new_height:,} pixels",
            remedy="lower the short side, or the --scales",
        ) from error
    scale = np.array([new_width / width, new_height / height] * 2, np.float32)
    return Resized(pixels.astype(np.uint8, copy=False), scale)


def image_size(path: Path | str) -> tuple[int, int]:
    """Returns the upright (width, height) in pixels of the image at `path`.

    Only the header is read, so an image that is cut off later has a size too.

    Raises:
        ImageError: the file is missing, no image, or too large to be one.
    """
    with _opened(path if isinstance(path, Path) else Path(path)) as image:
        width, height = image.size
        return (height, width) if _orientation(image) >= 5 else (width, height)


@contextmanager
def _opened(source: Path | bytes) -> Iterator[Image.Image]:
    """Opens a file with Pillow; whatever goes wrong until it is closed becomes an ImageError."""
    with _explaining(source), warnings.catch_warnings():
        # Pillow warns of odd metadata and of more than 89 megapixels, which cameras have; it
        # still refuses twice that.
        warnings.simplefilter("ignore")
        if isinstance(source, Path):
            require_no_pipe(source, ImageError)
        stream = io.BytesIO(source) if isinstance(source, bytes) else source
        with Image.open(stream, formats=_FORMATS) as image:  # noqa: TID251
            yield image


@contextmanager
def _explaining(source: Path | bytes | None) -> Iterator[None]:
    try:
        yield
    except ImageError:
        raise
    except Exception as error:  # Pillow's decoders raise nearly anything on damaged files
        raise _explained(source, error) from error


def _explained(source: Path | bytes | None, error: Exception) -> ImageError:
    """Returns what is wrong with the image, given what Pillow raised."""
    path = source if isinstance(source, Path) else None
    if isinstance(error, FileNotFoundError):
        return ImageError("does not exist", remedy=advice_on_missing(path or ""), file=path)
    if isinstance(error, UnidentifiedImageError):
        head = source[:32] if isinstance(source, bytes) else b""
        if path is not None:
            with path.open("rb") as stream:
                head = stream.read(32)
        if not head:
            return ImageError("is empty", remedy="replace or remove it", file=path)
        kinds = (kind for begin, kind in UNREAD.items() if re.match(begin, head, re.DOTALL))
        kind = next(kinds, None)
        return ImageError(
            f"is {kind}, which is not read" if kind else "is not an image in a known format",
            remedy="convert it to JPEG or PNG, or remove it",
            file=path,
        )
    if isinstance(error, Image.DecompressionBombError):
        limit = 2 * (Image.MAX_IMAGE_PIXELS or 0)
        return ImageError(
            f"has more than {limit:,} pixels, as files made to exhaust the memory do",
            remedy="shrink it or remove it",
            file=path,
        )
    if isinstance(error, OSError) and error.strerror:
        return ImageError(f"cannot be read ({error.strerror})", remedy="check the file", file=path)
    return ImageError(
        f"is damaged or cut off ({str(error) or type(error).__name__})",
        remedy="replace or remove it",
        file=path,
    )


def _upright(image: Image.Image) -> Pixels:
    turn = TRANSPOSITIONS.get(_orientation(image))
    rgb = _as_rgb(image)
    return np.array(rgb if turn is None else rgb.transpose(turn))


def _orientation(image: Image.Image) -> int:
    """Returns the EXIF orientation (1..8) that is still to be applied; 1 is upright."""
    if image.format == "TIFF":
        return 1  # Pillow applies it itself
    if image.format == "PNG" and not image.info.keys() & {"exif", "Raw profile type exif"}:
        return 1  # EXIF after the pixels is not looked for: it would cost decoding them
    try:
        value = image.getexif().get(ExifTags.Base.Orientation, 1)
    except Exception:  # unreadable metadata of any kind is not a reason to refuse the pixels
        return 1
    return value if value in TRANSPOSITIONS else 1


def _as_rgb(image: Image.Image) -> Image.Image:
    """Returns the first frame as RGB, not turned."""
    if image.mode == "RGB" and "transparency" not in image.info:
        image.load()
        return image
    if image.mode in {"I", "F"} or image.mode.startswith("I;16"):
        return Image.fromarray(_grey_to_bytes(image)).convert("RGB")
    if image.has_transparency_data:
        layers = image.convert("RGBA")
        white = Image.new("RGBA", layers.size, "white")
        return Image.alpha_composite(white, layers).convert("RGB")
    if image.mode == "CMYK" and image.format == "JPEG" and "adobe" not in image.info:
        # Pillow takes every CMYK JPEG for Adobe's, which is inverted; only its marker says so.
        return ImageChops.invert(image).convert("RGB")
    return image.convert("RGB")


def _grey_to_bytes(image: Image.Image) -> Pixels:
    """Returns deep grey (H, W) as uint8.

    16 bits are scaled by 1/257, so that white stays white. 32-bit and floating-point files do not
    say what white is: their own range is stretched.
    """
    grey = np.asarray(image).astype(np.float64)
    if image.mode.startswith("I;16") or image.format == "PNG":
        return (grey / 257 + 0.5).astype(np.uint8)
    if not np.isfinite(grey).all():
        raise ValueError("it has pixels that are not numbers")
    low, high = float(grey.min()), float(grey.max())
    return ((grey - low) * (255 / max(high - low, 1e-12)) + 0.5).astype(np.uint8)
