import zlib
from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as stnp
from PIL import Image

from leadline.data.png_files import png_size, read_png, write_png

MAPS = st.sampled_from([np.uint8, np.uint16]).flatmap(
    lambda dtype: stnp.arrays(dtype, stnp.array_shapes(min_dims=2, max_dims=2, max_side=9))
)


def chunks_of(data: bytes) -> dict[bytes, bytes]:
    found, place = {}, 8
    while place < len(data):
        length = int.from_bytes(data[place : place + 4], "big")
        found[data[place + 4 : place + 8]] = data[place + 8 : place + 8 + length]
        check = int.from_bytes(data[place + 8 + length : place + 12 + length], "big")
        assert check == zlib.crc32(data[place + 4 : place + 8 + length])
        place += 12 + length
    return found


@given(MAPS)
def test_every_reader_reads_the_same_numbers(
    tmp_path_factory: pytest.TempPathFactory, values: np.ndarray
) -> None:
    path = tmp_path_factory.mktemp("p") / "a.png"
    write_png(path, values, {})
    read = read_png(path)
    assert read.dtype == values.dtype
    np.testing.assert_array_equal(read, values)
    assert png_size(path) == values.shape
    np.testing.assert_array_equal(cv2.imread(str(path), cv2.IMREAD_UNCHANGED), values)
    with Image.open(path) as image:
        image.verify()
    with Image.open(path) as image:
        assert image.mode == ("L" if values.dtype == np.uint8 else "I;16")
        np.testing.assert_array_equal(np.asarray(image), values)


def test_a_view_is_written_as_it_looks(tmp_path: Path) -> None:
    values = np.arange(60, dtype=np.uint16).reshape(6, 10) * 777
    for name, view in {"mirror": values[:, ::-1], "turned": values.T, "some": values[::2]}.items():
        write_png(tmp_path / name, view, {})
        np.testing.assert_array_equal(read_png(tmp_path / name), view)


def test_texts_stand_between_whole_chunks(tmp_path: Path) -> None:
    values = np.array([[1, 258], [3, 2]], np.uint16)
    write_png(tmp_path / "plain.png", values, {})
    write_png(tmp_path / "told.png", values, {"note": "x", "camera": "右"})
    plain, told = (chunks_of((tmp_path / f"{name}.png").read_bytes()) for name in ("plain", "told"))
    assert list(told) == [b"IHDR", b"tEXt", b"iTXt", *list(plain)[1:]]
    assert {name: told[name] for name in plain} == plain
    with Image.open(tmp_path / "told.png") as image:
        assert image.info == {"note": "x", "camera": "右"}


def test_what_is_no_png_has_no_size(tmp_path: Path) -> None:
    write_png(tmp_path / "a.png", np.zeros((2, 3), np.uint8), {})
    whole = (tmp_path / "a.png").read_bytes()
    for wrong in (b"", whole[:23], b"\xff\xd8" + whole[2:]):
        (tmp_path / "a.png").write_bytes(wrong)
        with pytest.raises(ValueError, match=r"a\.png: damaged or no PNG"):
            png_size(tmp_path / "a.png")


def test_nothing_is_left_of_a_file_that_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / "a.png").mkdir()
    with pytest.raises(OSError, match=r"a\.png"):
        write_png(tmp_path / "a.png", np.zeros((2, 2), np.uint8), {})
    assert [path.name for path in tmp_path.iterdir()] == ["a.png"]
