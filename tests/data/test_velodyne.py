from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from leadline.data.velodyne import camera_depth, eigen_depth, read_points

SIZE = (9, 21)
LIDAR_TO_RIG = np.array(
    [[0.02, -1.0, 0.01, 0.01], [0.0, 0.01, -1.0, -0.08], [1.0, 0.0, 0.02, -0.27], [0, 0, 0, 1]]
)
PROJECTION = np.array([[9.0, 0, 10.2, -3.0], [0, 9.0, 4.1, 0.02], [0, 0, 1.0, 0.003]])


def slow_depth(points: np.ndarray, eigen: bool) -> np.ndarray:
    image = np.zeros(SIZE)
    for point in points.astype(np.float64):
        if eigen and point[0] < 0:
            continue
        u, v, z = PROJECTION @ (LIDAR_TO_RIG @ [*point, 1.0])
        if z <= 0:
            continue
        if eigen:
            column, row, value = round(u / z) - 1, round(v / z) - 1, point[0]
        else:
            column, row, value = int(np.floor(u / z + 0.5)), int(np.floor(v / z + 0.5)), z
        inside = 0 <= column < SIZE[1] and 0 <= row < SIZE[0]
        if inside and value > 0 and (image[row, column] == 0 or value < image[row, column]):
            image[row, column] = value
    return image


@settings(max_examples=40, deadline=None)
@given(seed=st.integers(0, 2**32 - 1), count=st.integers(0, 300))
def test_sweeps_project_as_in_a_loop_over_points(seed: int, count: int) -> None:
    rng = np.random.default_rng(seed)
    points = rng.uniform([-5, -12, -3], [30, 12, 3], (count, 3)).astype(np.float32)
    for form, eigen in ((camera_depth, False), (eigen_depth, True)):
        depth = form(points, LIDAR_TO_RIG, PROJECTION, SIZE)
        assert depth.dtype == np.float32
        np.testing.assert_allclose(depth, slow_depth(points, eigen), rtol=1e-6)


def test_the_two_forms_differ_by_a_pixel_and_by_the_axis() -> None:
    point = np.array([[10.0, 0.0, 0.0]], np.float32)
    camera = camera_depth(point, LIDAR_TO_RIG, PROJECTION, SIZE)
    eigen = eigen_depth(point, LIDAR_TO_RIG, PROJECTION, SIZE)
    (row, column), (other_row, other_column) = np.argwhere(camera)[0], np.argwhere(eigen)[0]
    assert (other_row, other_column) == (row - 1, column - 1)
    assert eigen.max() == 10.0
    assert camera.max() == pytest.approx(10 - 0.27 + 0.003, rel=1e-6)


def test_points_are_read_without_reflectance(tmp_path: Path) -> None:
    data = np.arange(12, dtype=np.float32).reshape(3, 4)
    data.tofile(tmp_path / "x.bin")
    assert np.array_equal(read_points(tmp_path / "x.bin"), data[:, :3])


def test_half_a_point_is_an_error(tmp_path: Path) -> None:
    np.arange(11, dtype=np.float32).tofile(tmp_path / "x.bin")
    with pytest.raises(ValueError, match=r"x\.bin: expected points of 16 bytes, got 44 bytes"):
        read_points(tmp_path / "x.bin")
