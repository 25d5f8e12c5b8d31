"""KITTI's calibration files: text -> rectified cameras and the LiDAR's pose."""

from pathlib import Path

import numpy as np
from jaxtyping import Float, Float64

from leadline.data.sources.base import RigCamera

CAMERA_FILE = "calib_cam_to_cam.txt"
LIDAR_FILE = "calib_velo_to_cam.txt"
COLOUR_CAMERAS = ("02", "03")
"""KITTI's numbers of the left and the right colour camera."""


def read_rig(folder: Path) -> tuple[RigCamera, ...]:
    """The two colour cameras of a date folder, rectified; the rig's frame is that of camera 0.

    P_rect = K [I | t]: t is taken whole, not only along x. The right camera of 2011_09_26 stands
    2.8 mm higher than the left one, a third of a pixel at 6 m, and the photographs agree.

    Raises:
        ValueError: the file lacks a matrix or holds something else.
    """
    values = _read(folder / CAMERA_FILE)
    return tuple(_camera(folder / CAMERA_FILE, values, number) for number in COLOUR_CAMERAS)


def read_lidar_to_rig(folder: Path) -> Float64[np.ndarray, "4 4"]:
    """From the LiDAR's points to the rectified frame of camera 0.

    Raises:
        ValueError: a file lacks a matrix or holds something else.
    """
    rectify = np.eye(4)
    cameras = _read(folder / CAMERA_FILE)
    rectify[:3, :3] = _matrix(folder / CAMERA_FILE, cameras, "R_rect_00", (3, 3))
    lidar_to_camera = np.eye(4)
    lidar = _read(folder / LIDAR_FILE)
    lidar_to_camera[:3, :3] = _matrix(folder / LIDAR_FILE, lidar, "R", (3, 3))
    lidar_to_camera[:3, 3] = _matrix(folder / LIDAR_FILE, lidar, "T", (3,))
    lidar_to_rig: Float64[np.ndarray, "4 4"] = rectify @ lidar_to_camera
    return lidar_to_rig


def projection(camera: RigCamera) -> Float64[np.ndarray, "3 4"]:
    """P_rect: from points of the rig to pixels."""
    rectified: Float64[np.ndarray, "3 4"] = camera.intrinsics @ camera.rig_to_camera[:3]
    return rectified


def _camera(path: Path, values: dict[str, list[float]], number: str) -> RigCamera:
    matrix = _matrix(path, values, f"P_rect_{number}", (3, 4))
    width, height = _matrix(path, values, f"S_rect_{number}", (2,))
    if not np.linalg.det(matrix[:, :3]):
        raise ValueError(
            f"{path}: expected intrinsics in the first three columns of P_rect_{number}, got a "
            "matrix without an inverse; copy the calibration file of this date again"
        )
    rig_to_camera = np.eye(4)
    rig_to_camera[:3, 3] = np.linalg.solve(matrix[:, :3], matrix[:, 3])
    return RigCamera(matrix[:, :3], (round(height), round(width)), rig_to_camera)


def _read(path: Path) -> dict[str, list[float]]:
    values: dict[str, list[float]] = {}
    for line in path.read_text(encoding="utf-8", errors="replace").splitlines():
        key, _, rest = line.partition(":")
        try:
            values[key.strip()] = [float(word) for word in rest.split()]
        except ValueError:  # a date, e.g. "calib_time: 09-Jan-2012 13:57:47"
            continue
    return values


def _matrix(
    path: Path, values: dict[str, list[float]], key: str, shape: tuple[int, ...]
) -> Float[np.ndarray, "..."]:
    numbers = values.get(key, [])
    if len(numbers) != np.prod(shape) or not np.isfinite(numbers).all():
        raise ValueError(
            f"{path}: expected a line '{key}:' with {np.prod(shape)} numbers, got "
            f"{np.count_nonzero(np.isfinite(numbers))}; "
            "copy the calibration file of this date again"
        )
    return np.array(numbers).reshape(shape)
