from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as stnp
from PIL import Image

from leadline.data.depth_files import (
    load_depth,
    read_depth,
    read_disparity,
    read_settings,
    settings_of_whole,
    write_depth,
    write_disparity,
)

MAPS = stnp.arrays(
    np.float32,
    stnp.array_shapes(min_dims=2, max_dims=2, max_side=7),
    elements=st.floats(0, 300, width=32),
)


def slow_steps(value: float, per_unit: int) -> int:
    if value == 0:
        return 0
    steps = max(1, round(value * per_unit))
    return steps if steps <= 65535 else 0


@given(MAPS)
def test_disparity_is_kept_to_half_a_step_and_missing_stays_missing(
    tmp_path_factory: pytest.TempPathFactory, disparity: np.ndarray
) -> None:
    path = tmp_path_factory.mktemp("d") / "a.png"
    beyond = write_disparity(path, disparity, {})
    expected = np.array([[slow_steps(float(v), 256) for v in row] for row in disparity]) / 256
    np.testing.assert_array_equal(read_disparity(path), expected)
    assert beyond == ((disparity > 0) & (expected == 0)).sum()


@given(MAPS, st.sampled_from([256, 1000]))
def test_depth_png_is_kept_to_half_a_step(
    tmp_path_factory: pytest.TempPathFactory, depth: np.ndarray, divide: int
) -> None:
    path = tmp_path_factory.mktemp("d") / "a.png"
    beyond = write_depth(path, depth, divide)
    expected = np.array([[slow_steps(float(v), divide) for v in row] for row in depth]) / divide
    np.testing.assert_allclose(read_depth(path, divide), expected, rtol=1e-6)
    assert beyond == ((depth > 0) & (expected == 0)).sum()


@pytest.mark.parametrize("suffix", [".npy", ".npz"])
def test_float_formats_keep_depth_exactly(tmp_path: Path, suffix: str) -> None:
    depth = np.array([[0, 1e-4, 540.25]], np.float32)
    assert write_depth(tmp_path / f"a{suffix}", depth) == 0
    np.testing.assert_array_equal(read_depth(tmp_path / f"a{suffix}"), depth)


def test_maps_of_other_origin_are_read(tmp_path: Path) -> None:
    depth = np.array([[0, 2.5]], np.float32)
    np.savez(tmp_path / "a.npz", velodyne_depth=depth)
    np.save(tmp_path / "a.npy", depth[None].astype(np.float64))
    cv2.imwrite(str(tmp_path / "a.png"), (depth * 256).astype(np.uint16))
    for name in ("a.npz", "a.npy", "a.png"):
        np.testing.assert_array_equal(read_depth(tmp_path / name, divide=256), depth)


def test_png_is_readable_by_others_and_holds_disparity_times_256(tmp_path: Path) -> None:
    write_disparity(tmp_path / "a.png", np.array([[0, 1.5, 160]], np.float32), {"mode": "valid"})
    raw = cv2.imread(str(tmp_path / "a.png"), cv2.IMREAD_UNCHANGED)
    assert raw is not None
    assert raw.dtype == np.uint16
    assert raw.tolist() == [[0, 384, 40960]]
    with Image.open(tmp_path / "a.png") as image:
        assert image.info["mode"] == "valid"


def test_settings_come_back(tmp_path: Path) -> None:
    path = tmp_path / "deep" / "a.png"
    settings = {"mode": "valid", "resize": "Lanczos, 1024x320", "camera": "gauche, n° 2 → 右"}
    for read in (read_settings, settings_of_whole):
        with pytest.raises(FileNotFoundError, match=r"a\.png"):
            read(path)
    write_disparity(path, np.ones((2, 3), np.float32), settings)
    assert read_settings(path) == settings_of_whole(path) == settings


@pytest.mark.parametrize("bad", [np.nan, np.inf, -1.0])
@pytest.mark.parametrize("name", ["a.png", "a.npy", "a.npz"])
def test_senseless_values_are_refused_and_leave_no_file(
    tmp_path: Path, name: str, bad: float
) -> None:
    values = np.array([[1.0, bad]], np.float32)
    with pytest.raises(ValueError, match=r"a\.\w+: depth must be finite"):
        write_depth(tmp_path / name, values)
    with pytest.raises(ValueError, match=r"a\.png: disparity must be finite"):
        write_disparity(tmp_path / "a.png", values, {})
    assert list(tmp_path.iterdir()) == []


def test_every_truncation_and_flipped_bit_is_noticed(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    disparity = rng.uniform(0, 200, (12, 16)).astype(np.float32)
    path = tmp_path / "a.png"
    write_disparity(path, disparity, {"mode": "valid"})
    whole, exact = path.read_bytes(), read_disparity(path)
    for length in rng.integers(0, len(whole), 20):
        path.write_bytes(whole[:length])
        with pytest.raises(ValueError, match=r"a\.png: (damaged|truncated)"):
            settings_of_whole(path)
        with pytest.raises(ValueError, match=r"a\.png: damaged"):
            read_disparity(path)
    for place in rng.integers(whole.index(b"IDAT") + 4, len(whole) - 16, 40):
        damaged = bytearray(whole)
        damaged[place] ^= 1 << rng.integers(8)
        path.write_bytes(damaged)
        with pytest.raises(ValueError, match=r"a\.png: damaged"):
            read_disparity(path)
    path.write_bytes(whole)
    np.testing.assert_array_equal(read_disparity(path), exact)


@pytest.mark.parametrize("suffix", [".png", ".npy", ".npz"])
def test_damaged_or_absent_depth_is_named(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"frame7{suffix}"
    with pytest.raises(FileNotFoundError, match="frame7"):
        read_depth(path)
    write_depth(path, np.ones((40, 40), np.float32))
    for content in (b"", b"no picture", path.read_bytes()[:60]):
        path.write_bytes(content)
        with pytest.raises(ValueError, match=r"frame7\.\w+: damaged"):
            read_depth(path)


def test_what_is_no_depth_is_refused(tmp_path: Path) -> None:
    cv2.imwrite(str(tmp_path / "eight.png"), np.ones((4, 4), np.uint8))
    np.save(tmp_path / "volume.npy", np.ones((2, 3, 4)))
    np.save(tmp_path / "pickled.npy", np.array([{}]), allow_pickle=True)
    np.save(tmp_path / "negative.npy", -np.ones((3, 4)))
    np.save(tmp_path / "far.npy", np.full((3, 4), np.inf))
    np.savez(tmp_path / "none.npz")
    for name, words in {
        "eight.png": "expected a 16-bit PNG",
        "volume.npy": r"expected a depth map of h x w, got the shape \(2, 3, 4\)",
        "pickled.npy": "damaged",
        "negative.npy": "NaN or negative values at 12 of 12 pixels",
        "far.npy": "must be finite",
        "none.npz": "damaged or no numpy file",
        "photo.jpg": "expected a depth file named",
    }.items():
        with pytest.raises(ValueError, match=rf"{name}: .*{words}"):
            read_depth(tmp_path / name)


def test_a_png_knows_its_divide_and_a_wrong_one_is_noticed(tmp_path: Path) -> None:
    depth = np.array([[0, 30.0]])
    for divide in (256, 1000, 12.5):
        write_depth(tmp_path / "a.png", depth, divide)
        for said, assumed in ((None, None), (divide, None), (None, 7)):
            assert (load_depth(tmp_path / "a.png", said, assumed) == depth).all()
    write_depth(tmp_path / "a.png", depth, divide=256)
    with pytest.raises(ValueError, match=r"written with divide=256, not 1000; read it with divide"):
        read_depth(tmp_path / "a.png", divide=1000)


def test_a_png_of_others_needs_a_divide(tmp_path: Path) -> None:
    cv2.imwrite(str(tmp_path / "a.png"), np.array([[0, 7000]], np.uint16))
    assert load_depth(tmp_path / "a.png", divide=1000).tolist() == [[0, 7]]
    assert load_depth(tmp_path / "a.png", assumed=3500).tolist() == [[0, 2]]
    assert load_depth(tmp_path / "a.png", 1000, 3500).tolist() == [[0, 7]]
    for divide in (None, 0, -1):
        with pytest.raises(ValueError, match=r"256 \(KITTI\) or divide=1000|positive number"):
            load_depth(tmp_path / "a.png", divide)


def test_of_several_arrays_the_known_one_is_read_else_the_first(tmp_path: Path) -> None:
    one, two = np.ones((2, 3)), np.full((2, 3), 2.0)
    for names, expected in (
        (("other", "velodyne_depth"), two),
        (("depth", "velodyne_depth"), two),
        (("confidence", "depth"), two),
        (("a", "b"), one),
    ):
        np.savez(tmp_path / "a.npz", **dict(zip(names, (one, two), strict=True)))
        assert (load_depth(tmp_path / "a.npz") == expected).all(), names


def test_single_axes_are_dropped_but_h_and_w(tmp_path: Path) -> None:
    for shape, expected in (
        ((1, 1, 2, 3), (2, 3)),
        ((2, 3, 1), (2, 3)),
        ((1, 5), (1, 5)),
        ((1, 3, 1), (3, 1)),
    ):
        np.save(tmp_path / "a.npy", np.ones(shape, np.float16))
        assert load_depth(tmp_path / "a.npy").shape == expected


def test_infinitely_far_is_a_depth_of_others_alone(tmp_path: Path) -> None:
    np.save(tmp_path / "a.npy", np.array([[1.0, np.inf]]))
    assert np.isinf(load_depth(tmp_path / "a.npy")[0, 1])
    with pytest.raises(ValueError, match="must be finite"):
        read_depth(tmp_path / "a.npy")
