"""A photograph is turned as its camera noted, whatever the format, and as other programs do it."""

from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import ExifTags, Image, ImageOps

from leadline.data.image_files import image_size, read_picture
from leadline.data.image_tensors import load_image
from leadline.data.upright import AS_STORED, noted_orientation

STORED = (48, 80)


def write_turned(path: Path, orientation: int, size: tuple[int, int] = STORED) -> Path:
    coarse = np.random.default_rng(0).integers(0, 256, (3, 5, 3), np.uint8)
    pixels = cv2.resize(coarse, size[::-1], interpolation=cv2.INTER_CUBIC)
    exif = Image.Exif()
    exif[ExifTags.Base.Orientation] = orientation
    options = {"lossless": True} if path.suffix == ".webp" else {}
    Image.fromarray(pixels).save(path, exif=exif, **options)
    return path


@pytest.mark.parametrize("suffix", [".jpg", ".png", ".webp", ".tif"])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_every_way_of_turning_is_that_of_pillow(
    tmp_path: Path, suffix: str, orientation: int
) -> None:
    path = write_turned(tmp_path / f"x{suffix}", orientation)
    with Image.open(path) as image:
        expected = np.asarray(ImageOps.exif_transpose(image).convert("RGB"))
    size = expected.shape[:2]
    assert size == (STORED[::-1] if orientation > 4 else STORED)
    assert image_size(path, upright=True) == size
    loaded = load_image(path, size, size, upright=True).permute(1, 2, 0).numpy()
    for picture in (loaded, read_picture(path)):
        assert np.abs(picture.astype(int) - expected).max() <= 1


@pytest.mark.parametrize("orientation", [1, 5, 6])
def test_a_turned_jpeg_may_be_decoded_at_a_fraction(tmp_path: Path, orientation: int) -> None:
    path = write_turned(tmp_path / "x.jpg", orientation, (256, 512))
    native = image_size(path, upright=True)
    size = (native[0] // 4, native[1] // 4)
    expected = cv2.resize(read_picture(path), size[::-1], interpolation=cv2.INTER_AREA)
    found = load_image(path, size, native, upright=True).permute(1, 2, 0).numpy()
    assert np.abs(found.astype(int) - expected).mean() < 2


def test_unless_asked_for_it_is_read_as_stored(tmp_path: Path) -> None:
    turned, plain = (write_turned(tmp_path / f"{o}.jpg", o) for o in (6, 1))
    assert image_size(turned) == STORED
    assert load_image(turned, STORED, STORED).equal(load_image(plain, STORED, STORED))
    with pytest.raises(ValueError, match="expected 80x48 pixels, got 48x80"):
        load_image(turned, STORED, STORED, upright=True)


@pytest.mark.parametrize("orientation", [0, 9, 600])
def test_a_note_that_means_nothing_turns_nothing(tmp_path: Path, orientation: int) -> None:
    path = write_turned(tmp_path / "x.jpg", orientation)
    assert image_size(path, upright=True) == read_picture(path).shape[:2] == STORED


def test_damaged_notes_turn_nothing(tmp_path: Path) -> None:
    path = write_turned(tmp_path / "x.jpg", 6)
    data = path.read_bytes()
    start = data.index(b"Exif\0\0") + len(b"Exif\0\0")
    for length in range(2, 24, 3):
        path.write_bytes(data[:start] + b"\xee" * length + data[start + length :])
        with Image.open(path) as image:
            assert noted_orientation(image) == AS_STORED
        assert read_picture(path).shape[:2] == STORED
