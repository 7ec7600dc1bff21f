from __future__ import annotations

import logging
import os
import struct
import sys
import zlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from frcnn_cli.cache.keys import content_hash
from frcnn_cli.config import InputConfig
from frcnn_cli.data.image_files import find_images
from frcnn_cli.data.images import TRANSPOSITIONS, image_size, load_image, resize
from frcnn_cli.errors import DataError, ImageError
from support.datasets import write_image

RED, BLUE, WHITE = (255, 0, 0), (0, 0, 255), (255, 255, 255)


def two_halves(width: int = 6, height: int = 4) -> Image.Image:
    """Red, with a blue pixel in the upper left corner."""
    image = Image.new("RGB", (width, height), RED)
    image.putpixel((0, 0), BLUE)
    return image


def colours(path: Path) -> list[tuple[int, ...]]:
    """The pixels of the first row."""
    return [tuple(pixel.tolist()) for pixel in load_image(path)[0]]


def test_rgb_is_returned_as_it_is(tmp_path: Path) -> None:
    two_halves().save(tmp_path / "a.png")
    pixels = load_image(tmp_path / "a.png")
    assert pixels.shape == (4, 6, 3)
    assert pixels.dtype == np.uint8
    assert pixels.flags.writeable  # torch warns of arrays that are not
    assert colours(tmp_path / "a.png")[:2] == [BLUE, RED]
    assert image_size(tmp_path / "a.png") == (6, 4)


@pytest.mark.parametrize("ending", ["jpg", "png", "tif", "webp"])
@pytest.mark.parametrize("orientation", [1, *TRANSPOSITIONS])
def test_exif_orientation_is_applied(tmp_path: Path, ending: str, orientation: int) -> None:
    path = tmp_path / f"turned.{ending}"
    upright = np.zeros((32, 48, 3), np.uint8)
    upright[:16, :24] = 255
    # The inverse of each turn: 6 and 8 undo each other, the others undo themselves.
    undo = TRANSPOSITIONS.get({6: 8, 8: 6}.get(orientation, orientation))
    stored = Image.fromarray(upright)
    stored = stored if undo is None else stored.transpose(undo)
    exif = Image.Exif()
    exif[0x0112] = orientation
    options = {"webp": {"lossless": True}, "jpg": {"quality": 95}}.get(ending, {})
    stored.save(path, exif=exif, **options)
    assert image_size(path) == (48, 32)
    assert np.abs(load_image(path).astype(int) - upright).max() < 60


def test_unreadable_exif_is_ignored(tmp_path: Path) -> None:
    two_halves().save(tmp_path / "a.jpg", exif=b"Exif\x00\x00nonsense")
    assert image_size(tmp_path / "a.jpg") == (6, 4)
    assert load_image(tmp_path / "a.jpg").shape == (4, 6, 3)


def test_grey_has_three_equal_channels(tmp_path: Path) -> None:
    Image.fromarray(np.array([[0, 100, 255]], np.uint8)).save(tmp_path / "a.png")
    assert colours(tmp_path / "a.png") == [(0, 0, 0), (100, 100, 100), (255, 255, 255)]


def test_one_bit_is_black_and_white(tmp_path: Path) -> None:
    Image.fromarray(np.array([[True, False]])).save(tmp_path / "a.png")
    assert colours(tmp_path / "a.png") == [WHITE, (0, 0, 0)]


@pytest.mark.parametrize("ending", ["png", "tif"])
def test_16_bit_grey_is_scaled_and_not_clipped(tmp_path: Path, ending: str) -> None:
    path = tmp_path / f"a.{ending}"
    Image.fromarray(np.array([[0, 257 * 100, 65535]], np.uint16)).save(path)
    assert colours(path) == [(0, 0, 0), (100, 100, 100), (255, 255, 255)]


def test_floating_point_grey_is_stretched(tmp_path: Path) -> None:
    Image.fromarray(np.array([[-1.0, 0.0, 1.0]], np.float32)).save(tmp_path / "a.tif")
    assert colours(tmp_path / "a.tif") == [(0, 0, 0), (128, 128, 128), (255, 255, 255)]
    Image.fromarray(np.array([[np.nan, 1]], np.float32)).save(tmp_path / "nan.tif")
    with pytest.raises(ImageError, match="not numbers"):
        load_image(tmp_path / "nan.tif")


def test_palette(tmp_path: Path) -> None:
    two_halves().quantize(4).save(tmp_path / "a.png")
    assert colours(tmp_path / "a.png")[:2] == [BLUE, RED]


@pytest.mark.parametrize("mode", ["RGBA", "LA", "P", "RGB", "PA"])
def test_transparency_is_laid_on_white(tmp_path: Path, mode: str) -> None:
    path = tmp_path / ("a.tif" if mode == "PA" else "a.png")
    if mode == "RGB":
        two_halves().save(path, transparency=BLUE)
    elif mode == "P":
        image = Image.new("P", (2, 1))
        image.putpalette([*BLUE, *RED])
        image.putpixel((1, 0), 1)
        image.save(path, transparency=b"\x00\xff")
    else:
        image = Image.new("RGBA", (2, 1), (*BLUE, 0))
        image.putpixel((1, 0), (*RED, 255))
        image.convert("RGBA" if mode == "PA" else mode).save(path)
    first, second = colours(path)[:2]
    assert first == WHITE
    assert second == (RED if mode != "LA" else (76, 76, 76))


def test_half_transparent_is_half_white(tmp_path: Path) -> None:
    Image.new("RGBA", (1, 1), (0, 0, 0, 127)).save(tmp_path / "a.png")
    assert colours(tmp_path / "a.png") == [(128, 128, 128)]


def test_cmyk(tmp_path: Path) -> None:
    Image.new("CMYK", (16, 16), (0, 255, 255, 0)).save(tmp_path / "a.jpg", quality=95)
    red, green, blue = colours(tmp_path / "a.jpg")[0]
    assert red > 240
    assert max(green, blue) < 15


def test_animation_gives_its_first_frame_with_a_warning(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    frames = [Image.new("RGB", (5, 4), colour) for colour in (RED, BLUE)]
    for name in ("a.gif", "a.webp", "a.png"):
        options = {"lossless": True} if name == "a.webp" else {}
        frames[0].save(tmp_path / name, save_all=True, append_images=frames[1:], **options)
        caplog.clear()
        with caplog.at_level(logging.WARNING):
            assert colours(tmp_path / name)[0] == RED
            assert colours(tmp_path / name)[0] == RED
        assert caplog.text.count("has 2 frames or pages; the first is used") == 1


@pytest.mark.parametrize("size", [(1, 1), (20_000, 20)])
def test_odd_sizes(tmp_path: Path, size: tuple[int, int]) -> None:
    write_image(tmp_path / "a.png", size)
    assert load_image(tmp_path / "a.png").shape == (size[1], size[0], 3)


def test_unicode_names_and_links(tmp_path: Path) -> None:
    path = write_image(tmp_path / "Ünïcode 写真 %20.jpg")
    (tmp_path / "link.jpg").symlink_to(path)
    assert image_size(tmp_path / "link.jpg") == image_size(path) == (40, 30)


def test_text_named_jpg(tmp_path: Path) -> None:
    (tmp_path / "a.jpg").write_text("not an image")
    for read in (load_image, image_size):
        with pytest.raises(ImageError, match=r"a\.jpg: is not an image.*; convert"):
            read(tmp_path / "a.jpg")


def test_empty_file(tmp_path: Path) -> None:
    (tmp_path / "a.jpg").touch()
    with pytest.raises(ImageError, match="is empty"):
        load_image(tmp_path / "a.jpg")


@pytest.mark.parametrize("ending", ["jpg", "png", "webp", "tif", "gif", "bmp"])
def test_truncated_file_has_a_size_but_no_pixels(tmp_path: Path, ending: str) -> None:
    path = tmp_path / f"a.{ending}"
    noise = np.random.default_rng(0).integers(0, 256, (64, 64, 3), np.uint8)
    Image.fromarray(noise).save(path)
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(ImageError) as caught:
        load_image(path)
    assert caught.value.file == str(path)
    assert "\n" not in str(caught.value)
    assert caught.value.remedy


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such pipes")
def test_a_pipe_is_refused_before_it_is_waited_for(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe.jpg"
    os.mkfifo(pipe)
    for read in (load_image, image_size):
        for path in (pipe, Path("/dev/zero")):
            with pytest.raises(ImageError, match="is a pipe or a device; name a file"):
                read(path)
    for path in (pipe, Path("/dev/zero")):
        with pytest.raises(DataError, match="is a pipe or a device; name a file"):
            content_hash(path)


def test_missing_file_and_folder(tmp_path: Path) -> None:
    with pytest.raises(ImageError, match="does not exist"):
        load_image(tmp_path / "none.jpg")
    with pytest.raises(ImageError, match="cannot be read"):
        load_image(tmp_path)


def test_decompression_bomb_is_refused_with_its_limit(tmp_path: Path) -> None:
    def chunk(kind: bytes, body: bytes) -> bytes:
        checksum = zlib.crc32(kind + body)
        return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", checksum)

    header = struct.pack(">IIBBBBB", 60_000, 60_000, 8, 2, 0, 0, 0)
    path = tmp_path / "bomb.png"
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", b""))
    for read in (load_image, image_size):
        with pytest.raises(ImageError, match="more than 178,956,970 pixels"):
            read(path)


def test_a_size_that_no_memory_holds_is_an_error_of_the_image() -> None:
    image = np.zeros((30, 40, 3), np.uint8)
    with pytest.raises(ImageError, match=r"cannot be resized to .* pixels; lower the short side"):
        resize(image, InputConfig(50_000_000, 100_000_000))


def test_find_keeps_the_order_given_and_sorts_inside_folders(tmp_path: Path) -> None:
    for name in ("b.jpg", "a.PNG", "sub/z.JPEG", ".hidden.jpg", ".git/x.jpg", "note.txt"):
        write_image(tmp_path / "d" / name) if "txt" not in name else (
            tmp_path / "d" / name
        ).write_text("")
    single, other = write_image(tmp_path / "z.jpg"), write_image(tmp_path / "odd.name.jpg")
    assert find_images([single, tmp_path / "d", other, single]) == [
        single,
        tmp_path / "d" / "a.PNG",
        tmp_path / "d" / "b.jpg",
        tmp_path / "d" / "sub" / "z.JPEG",
        other,
    ]


def test_find_survives_links_in_a_circle(tmp_path: Path) -> None:
    write_image(tmp_path / "d" / "a.jpg")
    (tmp_path / "d" / "again").symlink_to(tmp_path / "d")
    assert find_images([tmp_path / "d"]) == [tmp_path / "d" / "a.jpg"]


def test_find_refuses_what_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(ImageError, match="does not exist"):
        find_images([tmp_path / "none"])
    with pytest.raises(DataError, match="holds no images"):
        find_images([tmp_path])


def test_every_real_image_has_the_size_of_its_header(shared_data: Path) -> None:
    paths = find_images([shared_data / "fruit" / "test"])
    assert len(paths) == 60
    for path in paths:
        width, height = image_size(path)
        assert load_image(path).shape == (height, width, 3)
