import re
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from data.tiny_trees import cut_short, write_giant, write_image
from PIL import Image

from leadline.data.depth_files import read_depth, read_settings
from leadline.data.image_files import image_size, list_images, read_picture, write_picture
from leadline.data.image_tensors import load_image


def test_listing_is_natural_and_survives_what_lies_about(tmp_path: Path) -> None:
    original = write_image(tmp_path / "elsewhere" / "x.png")
    for name in ("f10.PNG", "f2.jpeg", "f1.png", "f1.jpg"):
        write_image(tmp_path / "in" / name.lower()).rename(tmp_path / "in" / name)
    (tmp_path / "in" / "f3.png").symlink_to(original)
    for name in (".DS_Store", "Thumbs.db", "._f1.png", "notes.txt"):
        (tmp_path / "in" / name).write_text("no image")
    names = [path.name for path in list_images(tmp_path / "in")]
    assert names == ["f1.png", "f2.jpeg", "f3.png", "f10.PNG"]
    assert list_images(tmp_path / "absent") == []


@pytest.mark.parametrize("suffix", [".png", ".jpg", ".bmp"])
def test_size_comes_from_the_head(tmp_path: Path, suffix: str) -> None:
    assert image_size(write_image(tmp_path / f"x{suffix}", (24, 64))) == (24, 64)


@pytest.mark.parametrize("suffix", [".png", ".jpg"])
def test_a_file_cut_short_is_found_by_its_end(tmp_path: Path, suffix: str) -> None:
    path = cut_short(write_image(tmp_path / f"x{suffix}"))
    for read in (lambda: image_size(path), lambda: load_image(path, (8, 8), (24, 64))):
        with pytest.raises(ValueError, match=re.escape(str(path)) + ".*cut short") as error:
            read()
        assert "\n" not in str(error.value)


@pytest.mark.parametrize("content", [b"", b"hello", b"\x89PNG and more IEND"])
def test_what_is_no_image_is_named(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "x.png"
    path.write_bytes(content)
    for read in (lambda: image_size(path), lambda: load_image(path, (8, 8), (24, 64))):
        with pytest.raises(ValueError, match="expected a whole image"):
            read()


def test_an_image_too_large_for_memory_is_named(tmp_path: Path) -> None:
    path = write_giant(tmp_path / "x.png")
    with pytest.raises(
        ValueError, match=r"x\.png: expected an image of at most 178 million pixels"
    ):
        image_size(path)
    with pytest.raises(ValueError, match=r"x\.png: damaged or no PNG"):
        read_settings(path)


def test_an_image_beyond_what_opencv_decodes_is_named(tmp_path: Path) -> None:
    long = (1 << 20) + 1
    Image.new("L", (long, 1)).save(tmp_path / "x.png")
    assert image_size(tmp_path / "x.png") == (1, long)
    for read in (
        lambda path: load_image(path, (8, 8), (1, long)),
        lambda path: read_depth(path, divide=256),
        read_picture,
    ):
        with pytest.raises(ValueError, match=r"x\.png: (expected a whole image|damaged)"):
            read(tmp_path / "x.png")


def test_pictures_come_back_whatever_their_folder_is_called(tmp_path: Path) -> None:
    picture = np.random.default_rng(0).integers(0, 256, (5, 7, 3), np.uint8)
    path = tmp_path / "Straße 道" / "x.png"
    write_picture(path, picture)
    assert np.array_equal(read_picture(path), picture)
    assert [found.name for found in path.parent.iterdir()] == ["x.png"]
    with pytest.raises(FileNotFoundError):
        read_picture(path.with_name("y.png"))


def test_notes_after_the_end_of_a_jpeg_do_no_harm(tmp_path: Path) -> None:
    path = write_image(tmp_path / "x.jpg")
    path.write_bytes(path.read_bytes() + b"\0" * 100)
    assert image_size(path) == (24, 64)
    assert load_image(path, (24, 64), (24, 64)).shape == (3, 24, 64)


def test_a_damaged_middle_is_found_when_decoded(tmp_path: Path) -> None:
    path = write_image(tmp_path / "x.png", (96, 128))
    data = bytearray(path.read_bytes())
    data[len(data) // 2 : len(data) // 2 + 64] = bytes(64)
    path.write_bytes(data)
    with pytest.raises(ValueError, match="damaged"):
        load_image(path, (8, 8), (96, 128))


def test_native_size_returns_the_pixels(tmp_path: Path) -> None:
    path = write_image(tmp_path / "x.png")
    expected = np.asarray(Image.open(path).convert("RGB")).transpose(2, 0, 1)
    assert np.array_equal(load_image(path, (24, 64), (24, 64)).numpy(), expected)


@pytest.mark.parametrize("size", [(11, 30), (40, 90), (12, 80), (24, 20)])
def test_resizing_is_antialiased_bicubic_as_in_pillow(
    tmp_path: Path, size: tuple[int, int]
) -> None:
    path = write_image(tmp_path / "x.png")
    expected = Image.open(path).convert("RGB").resize(size[::-1], Image.Resampling.BICUBIC)
    difference = load_image(path, size, (24, 64)).permute(1, 2, 0).int().numpy() - expected
    assert np.abs(difference).max() <= 1


@pytest.mark.parametrize(
    ("native", "size"), [((64, 128), (32, 64)), ((64, 128), (10, 20)), ((63, 128), (20, 40))]
)
def test_decoding_at_a_fraction_leaves_every_pixel_in_place(
    tmp_path: Path, native: tuple[int, int], size: tuple[int, int]
) -> None:
    ramp = np.linspace(20, 230, native[1])[None, :, None] * np.ones((*native, 3))
    ramp[..., 1] = np.linspace(20, 230, native[0])[:, None]
    path = tmp_path / "x.jpg"
    cv2.imwrite(str(path), np.rint(ramp).astype(np.uint8), [cv2.IMWRITE_JPEG_QUALITY, 100])
    image = load_image(path, size, native).double()
    columns = (np.arange(size[1]) + 0.5) * native[1] / size[1] - 0.5
    rows = (np.arange(size[0]) + 0.5) * native[0] / size[0] - 0.5
    inner = slice(2, -2)
    # A ramp misplaced by half a native pixel would be off by 0.8 everywhere.
    expected = 20 + 210 * columns / (native[1] - 1)
    assert abs((image[2].mean(0).numpy() - expected)[inner].mean()) < 0.2
    expected = 20 + 210 * rows / (native[0] - 1)
    assert abs((image[1].mean(1).numpy() - expected)[inner].mean()) < 0.2


def test_rotation_noted_by_a_camera_is_not_applied(tmp_path: Path) -> None:
    plain = Image.open(write_image(tmp_path / "x.png"))
    exif = Image.Exif()
    exif[0x0112] = 6
    plain.save(tmp_path / "turned.jpg", exif=exif)
    assert image_size(tmp_path / "turned.jpg") == (24, 64)
    assert load_image(tmp_path / "turned.jpg", (24, 64), (24, 64)).shape == (3, 24, 64)


@pytest.mark.parametrize("mode", ["L", "I;16", "RGBA", "P"])
def test_every_kind_of_pixel_becomes_rgb(tmp_path: Path, mode: str) -> None:
    pixels = np.full((24, 64), 100, np.uint16 if mode == "I;16" else np.uint8)
    image = Image.fromarray(pixels * 256 if mode == "I;16" else pixels)
    (image if mode in ("L", "I;16") else image.convert(mode)).save(tmp_path / "x.png")
    loaded = load_image(tmp_path / "x.png", (24, 64), (24, 64))
    assert loaded.dtype == torch.uint8
    assert (loaded == 100).all()


def test_another_size_than_announced_is_an_error(tmp_path: Path) -> None:
    path = write_image(tmp_path / "x.png")
    with pytest.raises(ValueError, match="expected 32x24 pixels, got 64x24"):
        load_image(path, (8, 8), (24, 32))
