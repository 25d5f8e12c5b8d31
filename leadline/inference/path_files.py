"""Paths as other programs read them: files of TUM and of KITTI's odometry."""

from pathlib import Path

import numpy as np

from leadline.data.sources.quaternion import matrix_to_quaternion
from leadline.files import atomic_path
from leadline.inference.paths import PredictedPath

TUM, KITTI = "tum", "kitti"
"""Folders of the two kinds of files."""


def write_path(found: PredictedPath, out: Path) -> None:
    """A path below `out` in both forms, `tum/NAME.txt` and `kitti/NAME.txt`.

    TUM: `seconds tx ty tz qx qy qz qw` a line, camera in the world; where the data have no times
    the frame's number stands for the seconds. KITTI: the 12 numbers of the upper rows of the same
    pose, frame by frame.

    Raises:
        OSError: `out` cannot be written.
    """
    times = found.seconds
    if np.isnan(times).any():
        times = np.array([float(frame.index) for frame in found.frames])
    lines = [
        " ".join([f"{time:.6f}", *(_written(value) for value in (*pose[:3, 3], *_turn(pose)))])
        for time, pose in zip(times, found.path, strict=True)
    ]
    _write(out / TUM / f"{found.name}.txt", lines)
    rows = [" ".join(map(_written, pose[:3].ravel())) for pose in found.path]
    _write(out / KITTI / f"{found.name}.txt", rows)


def _turn(pose: np.ndarray) -> np.ndarray:
    return matrix_to_quaternion(pose[:3, :3])


def _written(value: float) -> str:
    return f"{value:.9g}"


def _write(path: Path, lines: list[str]) -> None:
    with atomic_path(path) as temporary:
        temporary.write_text("\n".join(lines) + "\n", encoding="utf-8")
