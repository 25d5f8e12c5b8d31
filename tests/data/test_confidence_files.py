from pathlib import Path, PurePosixPath

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as stnp
from PIL import Image

from leadline.data.confidence_files import (
    confidence_path,
    read_confidence,
    write_confidence,
)
from leadline.data.depth_files import write_disparity

MAPS = stnp.arrays(np.uint8, stnp.array_shapes(min_dims=2, max_dims=2, max_side=9))


def slow_level(value: int) -> int:
    """The nearest of 0, 51, ..., 255; the lowest but 0 where it is not 0."""
    levels = range(0, 256, 51) if value == 0 else range(51, 256, 51)
    return min(levels, key=lambda level: abs(level - value))


@given(MAPS)
def test_confidence_is_kept_at_six_levels(
    tmp_path_factory: pytest.TempPathFactory, confidence: np.ndarray
) -> None:
    path = tmp_path_factory.mktemp("c") / "a.png"
    write_confidence(path, confidence)
    expected = [[slow_level(int(value)) for value in row] for row in confidence]
    read = read_confidence(path, confidence.shape)
    assert read.dtype == np.uint8
    np.testing.assert_array_equal(read, expected)
    assert np.abs(read.astype(int) - confidence).max() <= 50
    # What was read is what would be written.
    write_confidence(path, read)
    np.testing.assert_array_equal(read_confidence(path, confidence.shape), read)


@given(st.integers(0, 255))
def test_no_level_is_farther_than_half_a_step_but_the_lowest(value: int) -> None:
    assert abs(slow_level(value) - value) <= 25 or 0 < value < 26


def test_it_lies_in_a_folder_of_its_own_and_any_reader_reads_it(tmp_path: Path) -> None:
    path = confidence_path(tmp_path, PurePosixPath("left/000001.png"))
    assert path == tmp_path / "confidence" / "left" / "000001.png"
    write_confidence(path, np.array([[0, 3, 255]], np.uint8))
    with Image.open(path) as image:
        assert (image.mode, image.size) == ("L", (3, 1))
        assert np.asarray(image).tolist() == [[0, 51, 255]]


def test_each_wrong_file_costs_one_line_that_says_what_to_do(tmp_path: Path) -> None:
    path = tmp_path / "confidence" / "7.png"
    with pytest.raises(FileNotFoundError, match=r"7\.png: .* found none; `leadline hints`") as none:
        read_confidence(path, (4, 6))
    write_confidence(path, np.full((4, 5), 90, np.uint8))
    with pytest.raises(ValueError, match=r"7\.png: expected 6x4 pixels .* got 5x4; ") as size:
        read_confidence(path, (4, 6))
    assert "\n" not in f"{none.value}{size.value}"
    whole = path.read_bytes()
    for damaged in (b"", b"no picture", whole[:-5], whole[:60]):
        path.write_bytes(damaged)
        with pytest.raises(ValueError, match=r"7\.png: damaged, truncated or no PNG"):
            read_confidence(path, (4, 5))
    write_disparity(path, np.ones((4, 5), np.float32), {})
    with pytest.raises(ValueError, match=r"7\.png: expected .* 8-bit PNG .* got uint16"):
        read_confidence(path, (4, 5))
    cv2.imwrite(str(path), np.zeros((4, 5, 3), np.uint8))
    with pytest.raises(ValueError, match=r"8-bit PNG of one channel, got uint8 of shape \(4, 5, 3"):
        read_confidence(path, (4, 5))
