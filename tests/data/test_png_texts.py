"""The short way to a PNG's texts says what the long way says, or nothing."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from leadline.data.depth_files import read_settings, write_disparity
from leadline.data.png_texts import plain_texts

SETTINGS = {"hints": "valid", "made of": '{"/a/b.png": [1, 2]}', "größe": "ü"}


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("png") / "hint.png"
    write_disparity(path, np.ones((4, 4), np.float32), SETTINGS)
    return path


def test_plain_texts_are_those_of_the_image_library(path: Path) -> None:
    assert plain_texts(path.read_bytes()) == read_settings(path) == SETTINGS


@given(at=st.integers(0, 10_000), flip=st.integers(1, 255))
def test_a_damaged_head_says_nothing(path: Path, at: int, flip: int) -> None:
    data = bytearray(path.read_bytes())
    head = data.index(b"IDAT") - 4
    data[at % head] ^= flip
    assert plain_texts(bytes(data)) is None


@given(cut=st.integers(0, 10_000))
def test_a_head_cut_short_says_nothing(path: Path, cut: int) -> None:
    data = path.read_bytes()
    assert plain_texts(data[: cut % (data.index(b"IDAT") + 4)]) is None


def test_texts_beyond_latin_are_left_to_the_image_library(tmp_path: Path) -> None:
    write_disparity(tmp_path / "hint.png", np.ones((4, 4), np.float32), {"name": "深度"})
    assert plain_texts((tmp_path / "hint.png").read_bytes()) is None
