"""LiDAR sweeps seen from a camera: points -> sparse depth."""

from pathlib import Path

import numpy as np
from jaxtyping import Float, Float32, Float64, Int64

_FLOATS_PER_POINT = 4


def read_points(path: Path) -> Float32[np.ndarray, "p 3"]:
    """Points (x forward, y left, z up) in metres of a KITTI `.bin`; reflectance is left out.

    Raises:
        ValueError: the length is not that of whole points.
    """
    data = np.fromfile(path, np.float32)
    bytes_per_point = _FLOATS_PER_POINT * data.itemsize
    if path.stat().st_size % bytes_per_point:
        raise ValueError(
            f"{path}: expected points of {bytes_per_point} bytes, got {path.stat().st_size} bytes; "
            "copy the file again"
        )
    return data.reshape(-1, _FLOATS_PER_POINT)[:, :3]


def camera_depth(
    points: Float[np.ndarray, "p 3"],
    lidar_to_rig: Float64[np.ndarray, "4 4"],
    projection: Float64[np.ndarray, "3 4"],
    size: tuple[int, int],
) -> Float32[np.ndarray, "h w"]:
    """Depth along the camera's axis at each pixel hit, the nearest point winning, 0 = none.

    `projection` takes the rig's points to pixels of an image of `size` (h, w), and is that of a
    camera which looks along the rig's z: its third row gives depth.
    """
    image = _project(points, lidar_to_rig, projection)
    depth = image[:, 2]
    pixels = np.floor(image[:, :2] / _nonzero(depth)[:, None] + 0.5).astype(np.int64)
    return nearest_per_pixel(pixels, depth, size)


def eigen_depth(
    points: Float[np.ndarray, "p 3"],
    lidar_to_rig: Float64[np.ndarray, "4 4"],
    projection: Float64[np.ndarray, "3 4"],
    size: tuple[int, int],
) -> Float32[np.ndarray, "h w"]:
    """Truth of the classic Eigen protocol: the LiDAR's own forward x at round(u) - 1, round(v) - 1.

    For evaluation only, so that published numbers compare: the value is not camera depth and
    the pixels are shifted by one against the convention of this package.

    Departure: [monodepth2] resolves pixels hit twice by a key that two pixels at the ends of
    neighbouring rows share; here every pixel has its own.
    """
    ahead = points[points[:, 0] >= 0]
    image = _project(ahead, lidar_to_rig, projection)
    pixels = np.round(image[:, :2] / _nonzero(image[:, 2])[:, None]).astype(np.int64) - 1
    forward = np.where(image[:, 2] > 0, ahead[:, 0], 0.0)
    return nearest_per_pixel(pixels, forward, size)


def nearest_per_pixel(
    pixels: Int64[np.ndarray, "p 2"], depth: Float[np.ndarray, "p"], size: tuple[int, int]
) -> Float32[np.ndarray, "h w"]:
    """The smallest positive depth among the points on each pixel (u, v) within `size`, 0 = none."""
    height, width = size
    u, v = pixels[:, 0], pixels[:, 1]
    seen = (u >= 0) & (u < width) & (v >= 0) & (v < height) & (depth > 0)
    image = np.full(height * width, np.inf, np.float32)
    np.minimum.at(image, v[seen] * width + u[seen], depth[seen].astype(np.float32))
    image[np.isinf(image)] = 0
    return image.reshape(height, width)


def _project(
    points: Float[np.ndarray, "p 3"],
    lidar_to_rig: Float64[np.ndarray, "4 4"],
    projection: Float64[np.ndarray, "3 4"],
) -> Float64[np.ndarray, "p 3"]:
    matrix = projection @ lidar_to_rig
    image: Float64[np.ndarray, "p 3"] = points.astype(np.float64) @ matrix[:, :3].T + matrix[:, 3]
    return image


def _nonzero(depth: Float64[np.ndarray, "p"]) -> Float64[np.ndarray, "p"]:
    return np.where(depth > 0, depth, 1.0)
