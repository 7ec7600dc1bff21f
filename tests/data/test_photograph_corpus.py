"""Images as people have them, made here, and what must come out for each."""

from __future__ import annotations

import os
import re
import struct
from collections.abc import Callable
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
from PIL import Image

import frcnn_cli
from frcnn_cli.data.image_files import find_images
from frcnn_cli.data.images import image_size, load_image
from frcnn_cli.errors import ImageError

Pixels = npt.NDArray[np.uint8]

PATTERN = np.zeros((24, 32, 3), np.uint8)
"""Four quarters: red, green, blue, white."""
PATTERN[:12, :16, 0] = PATTERN[:12, 16:, 1] = PATTERN[12:, :16, 2] = 255
PATTERN[12:, 16:] = 255
GREY = np.round(PATTERN @ (0.299, 0.587, 0.114)).astype(np.uint8)
RAMP = np.tile(np.linspace(0, 255, 32).round().astype(np.uint8), (24, 1))
"""Grey from black to white; as 16 bits it is 257 times that."""

picture = Image.fromarray(PATTERN)


def of_grey(grey: Pixels) -> Pixels:
    return np.repeat(grey[..., None], 3, axis=2)


def half_alpha() -> Image.Image:
    alpha = np.full((24, 32), 255, np.uint8)
    alpha[:12] = 0
    layers = picture.convert("RGBA")
    layers.putalpha(Image.fromarray(alpha))
    return layers


ON_WHITE = PATTERN.copy()
ON_WHITE[:12] = 255


def palette_with_transparency(path: Path) -> None:
    image = picture.quantize(8)
    red = image.getpixel((0, 0))
    image.save(path, transparency=red)


RED_GONE = PATTERN.copy()
RED_GONE[:12, :16] = 255


def cmyk_without_adobe(path: Path) -> None:
    """Ink as it is; Pillow, as Adobe, writes it inverted with a marker."""
    inverted = Image.fromarray(255 - np.asarray(picture.convert("CMYK")), "CMYK")
    inverted.save(path, quality=95)
    whole = path.read_bytes()
    start = whole.index(b"\xff\xee")
    length = struct.unpack(">H", whole[start + 2 : start + 4])[0]
    path.write_bytes(whole[:start] + whole[start + 2 + length :])


def animated(path: Path) -> None:
    lossless = {"lossless": True} if path.suffix == ".webp" else {}
    other = Image.new("RGB", picture.size)
    picture.save(path, save_all=True, append_images=[other, picture], **lossless)


def stored_turned(path: Path) -> None:
    """As a camera held upright stores it: orientation 6, to be turned clockwise."""
    exif = Image.Exif()
    exif[0x0112] = 6
    picture.transpose(Image.Transpose.ROTATE_90).save(path, exif=exif, quality=95)


def save(**options: object) -> Callable[[Path], None]:
    return lambda path: picture.save(path, **options)


LONG = "ä" * 120 + "-long"  # 245 bytes, and an ending

READ: dict[str, tuple[Callable[[Path], object], Pixels, int]] = {
    # name: (writes it, what comes out, tolerance)
    "rgb.png": (save(), PATTERN, 0),
    "rgb.bmp": (save(), PATTERN, 0),
    "rgb.ppm": (save(), PATTERN, 0),
    "lzw.tif": (save(compression="tiff_lzw"), PATTERN, 0),
    "lossless.webp": (save(lossless=True), PATTERN, 0),
    "good.jpg": (save(quality=95, subsampling=0), PATTERN, 6),
    "progressive.jpg": (save(quality=95, subsampling=0, progressive=True), PATTERN, 6),
    "turned.jpg": (stored_turned, PATTERN, 60),
    "grey.png": (lambda p: Image.fromarray(RAMP).save(p), of_grey(RAMP), 0),
    "grey.jpg": (lambda p: Image.fromarray(RAMP).save(p, quality=95), of_grey(RAMP), 3),
    "grey16.png": (
        *(lambda p: Image.fromarray(RAMP.astype(np.uint16) * 257).save(p), of_grey(RAMP)),
        0,
    ),
    "grey16.tif": (
        *(lambda p: Image.fromarray(RAMP.astype(np.uint16) * 257).save(p), of_grey(RAMP)),
        0,
    ),
    "one-bit.png": (
        *(lambda p: Image.fromarray(RAMP > 127).save(p), of_grey((RAMP > 127) * np.uint8(255))),
        0,
    ),
    "palette.png": (lambda p: picture.quantize(8).save(p), PATTERN, 0),
    "palette.gif": (lambda p: picture.quantize(8).save(p), PATTERN, 0),
    "see-through-palette.png": (palette_with_transparency, RED_GONE, 0),
    "alpha.png": (lambda p: half_alpha().save(p), ON_WHITE, 0),
    "alpha.webp": (lambda p: half_alpha().save(p, lossless=True), ON_WHITE, 0),
    "alpha.tif": (lambda p: half_alpha().save(p), ON_WHITE, 0),
    "grey-alpha.png": (
        *(
            lambda p: half_alpha().convert("LA").save(p),
            of_grey(np.vstack([GREY[:12] | 255, GREY[12:]])),
        ),
        1,
    ),
    "adobe-cmyk.jpg": (lambda p: picture.convert("CMYK").save(p, quality=95), PATTERN, 60),
    "cmyk.jpg": (cmyk_without_adobe, PATTERN, 60),
    "cmyk.tif": (lambda p: picture.convert("CMYK").save(p), PATTERN, 0),
    "animated.gif": (animated, PATTERN, 0),
    "animated.webp": (animated, PATTERN, 0),
    "animated.png": (animated, PATTERN, 0),
    "pages.tif": (animated, PATTERN, 0),
    "stereo.mpo": (
        *(lambda p: picture.save(p, save_all=True, append_images=[picture], quality=95), PATTERN),
        60,
    ),
    "named.jpg": (lambda p: picture.save(p, "PNG"), PATTERN, 0),  # a PNG, whatever it is called
    "one-pixel.png": (lambda p: picture.crop((0, 0, 1, 1)).save(p), PATTERN[:1, :1], 0),
    "Ünïcode 写真 %20 \u202e.png": (save(), PATTERN, 0),
    "new\nline.png": (save(), PATTERN, 0),
    f"{LONG}.png": (save(), PATTERN, 0),
}


@pytest.mark.parametrize("name", READ)
def test_what_comes_out(tmp_path: Path, name: str) -> None:
    make, expected, tolerance = READ[name]
    path = tmp_path / name
    make(path)
    before = path.read_bytes()
    pixels = load_image(path)
    assert (pixels.shape, pixels.dtype) == (expected.shape, np.uint8)
    difference = np.abs(pixels.astype(int) - expected)
    if tolerance:  # JPEG rings at the edges of the quarters
        difference = difference[3::6, 4::8]
    assert difference.max() <= tolerance
    assert image_size(path) == (expected.shape[1], expected.shape[0])
    assert find_images([tmp_path]) == [path]
    assert path.read_bytes() == before


def test_a_very_long_panorama(tmp_path: Path) -> None:
    Image.new("L", (20_000, 200), 7).save(tmp_path / "a.png")
    assert image_size(tmp_path / "a.png") == (20_000, 200)
    assert load_image(tmp_path / "a.png").shape == (200, 20_000, 3)


def test_a_path_of_thousands_of_bytes(tmp_path: Path) -> None:
    folder = tmp_path
    for _ in range(12):
        folder = folder / LONG
    folder.mkdir(parents=True)
    picture.save(folder / "a.png")
    assert len(os.fsencode(folder)) > 2900
    (path,) = find_images([tmp_path])
    assert load_image(path).shape == PATTERN.shape


def test_links_and_read_only_folders(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    picture.save(tmp_path / "real" / "a.png")
    (tmp_path / "linked").symlink_to(tmp_path / "real")
    (tmp_path / "linked.png").symlink_to(tmp_path / "real" / "a.png")
    (tmp_path / "real").chmod(0o555)
    try:
        for path in (tmp_path / "linked" / "a.png", tmp_path / "linked.png"):
            np.testing.assert_array_equal(load_image(path), PATTERN)
    finally:
        (tmp_path / "real").chmod(0o755)
    (tmp_path / "nowhere.png").symlink_to(tmp_path / "gone.png")
    with pytest.raises(ImageError, match="does not exist"):
        load_image(tmp_path / "nowhere.png")


REFUSED: dict[str, tuple[bytes, str]] = {
    "empty.jpg": (b"", "is empty; replace"),
    "text.jpg": (b"a letter to a friend\n", "is not an image in a known format; convert"),
    "page.jpg": (b"<!DOCTYPE html><p>404", "is not an image in a known format"),
    "IMG_0001.HEIC": (b"\0\0\0\x24ftypheic\0\0\0\0mif1", "is a HEIC image, which is not read"),
    "new.jxl": (b"\xff\x0a\xff", "is a JPEG XL image, which is not read; convert it to JPEG"),
    "scan.jpg": (b"%PDF-1.7\n", "is a PDF, which is not read"),
    "figure.jpg": (b"%!PS-Adobe-3.0 EPSF-3.0\n", "is PostScript, which is not read"),
    "logo.png": (b"<svg xmlns='http://www.w3.org/2000/svg'/>", "is a drawing"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_is_refused(tmp_path: Path, name: str) -> None:
    content, problem = REFUSED[name]
    (tmp_path / name).write_bytes(content)
    assert find_images([tmp_path]) == [tmp_path / name]  # listed, and not passed over in silence
    for read in (load_image, image_size):
        with pytest.raises(ImageError, match=re.escape(problem)) as caught:
            read(tmp_path / name)
        assert caught.value.remedy
        assert "\n" not in str(caught.value)


POSTSCRIPT = """%!PS-Adobe-3.0 EPSF-3.0
%%BoundingBox: 0 0 20 20
%%EndComments
showpage
%%EOF
"""


def test_postscript_named_as_an_image_starts_no_program(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Pillow's decoder of PostScript runs `gs` of the path on the file."""
    program, ran = tmp_path / "bin" / "gs", tmp_path / "ran"
    program.parent.mkdir()
    program.write_text(f"#!/bin/sh\ntouch {ran}\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{program.parent}{os.pathsep}{os.environ['PATH']}")
    (tmp_path / "holiday.jpg").write_text(POSTSCRIPT)
    for read in (load_image, image_size):
        with pytest.raises(ImageError, match="is PostScript, which is not read; convert it"):
            read(tmp_path / "holiday.jpg")
    assert not ran.exists()


def test_formats_that_are_not_documented_are_refused(tmp_path: Path) -> None:
    for kind in ("ICO", "TGA", "PCX", "DDS", "SGI", "XBM", "MSP"):
        image = Image.new("1" if kind in {"XBM", "MSP"} else "RGB", (16, 16))
        image.save(tmp_path / "a.png", kind)
        with pytest.raises(ImageError, match="is not an image in a known format"):
            load_image(tmp_path / "a.png")


def test_every_cut_of_an_image_is_an_error_and_no_crash(tmp_path: Path) -> None:
    noise = np.random.default_rng(0).integers(0, 256, (16, 16, 3), np.uint8)
    for ending in ("jpg", "png", "webp", "tif", "gif", "bmp", "mpo", "jp2"):
        path = tmp_path / f"a.{ending}"
        Image.fromarray(noise).save(path)
        whole = path.read_bytes()
        for length in range(0, len(whole) - 64, max(1, len(whole) // 25)):
            path.write_bytes(whole[:length])
            with pytest.raises(ImageError):
                load_image(path)


def test_nothing_else_opens_images() -> None:
    """One loader for every command: what it accepts and refuses holds everywhere."""
    source = Path(frcnn_cli.__file__).parent
    opening = re.compile(r"\bImage\.open\(|\bim(read|decode)\(|torchvision\.io")
    found = [
        path.relative_to(source).as_posix()
        for path in source.rglob("*.py")
        if opening.search(path.read_text(encoding="utf-8"))
    ]
    assert found == ["data/images.py"]
