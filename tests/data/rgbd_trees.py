"""Small RGB-D sequences in the layouts of 7-Scenes and of the TUM benchmark: a camera that goes
round a bend before a slanted wall.
"""

from collections.abc import Iterable
from pathlib import Path

import cv2
import numpy as np
from data.tiny_trees import CX, CY, FOCAL, SIZE, write_image
from scipy.spatial.transform import Rotation

START = 1_305_031_102.0
STEP = 1 / 30
"""Seconds from frame to frame."""


def camera_to_world(number: int) -> np.ndarray:
    """The pose of a frame, turned about all axes and far from the origin."""
    pose = np.eye(4)
    angles = [0.3 + 0.02 * number, -0.2, 0.1 + 0.01 * number]
    pose[:3, :3] = Rotation.from_euler("yxz", angles).as_matrix()
    pose[:3, 3] = [5 + 0.03 * number, -2, 7 + 0.04 * number]
    return pose


def motion_between(target: np.ndarray, source: np.ndarray) -> np.ndarray:
    """target_to_source of two cameras that stand in the world like this."""
    return np.linalg.solve(source, target)


def wall(number: int, size: tuple[int, int] = SIZE) -> np.ndarray:
    """Millimetres, all different along a row, with holes of both kinds."""
    height, width = size
    depth = np.tile(1500 + 10 * np.arange(width) + number, (height, 1)).astype(np.uint16)
    depth[0, :5], depth[1, :5] = 0, 65535
    return depth


def write_depth_png(path: Path, steps: np.ndarray) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    cv2.imwrite(str(path), steps.astype(np.uint16))
    return path


def write_intrinsics(folder: Path, focal: float = FOCAL, cx: float = CX, cy: float = CY) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "camera-intrinsics.txt"
    np.savetxt(path, [[focal, 0, cx], [0, focal, cy], [0, 0, 1]])
    return path


def write_sequence(
    folder: Path,
    numbers: Iterable[int] = range(4),
    size: tuple[int, int] = SIZE,
    suffix: str = ".png",
) -> Path:
    """`frame-000000.color.png` and what stands beside it, without a camera."""
    for number in numbers:
        stem = f"frame-{number:06d}"
        write_image(folder / f"{stem}.color{suffix}", size, seed=number)
        write_depth_png(folder / f"{stem}.depth.png", wall(number, size))
        np.savetxt(folder / f"{stem}.pose.txt", camera_to_world(number))
    return folder


def write_tum(folder: Path, count: int = 4, depth_delay: float = 0.004) -> Path:
    """Lists and files of a sequence, without a camera."""
    times = START + STEP * np.arange(count)
    for name, delay in (("rgb", 0.0), ("depth", depth_delay)):
        lines = ["# images", "# timestamp filename"]
        for number, time in enumerate(times + delay):
            file = f"{name}/{time:.6f}.png"
            lines.append(f"{time:.6f} {file}")
            if name == "rgb":
                write_image(folder / file, seed=number)
            else:
                write_depth_png(folder / file, 5 * wall(number) * (wall(number) < 65535))
        (folder / f"{name}.txt").write_text("\n".join(lines) + "\n")
    lines = ["# timestamp tx ty tz qx qy qz qw"]
    for number, time in enumerate(times):
        pose = camera_to_world(number)
        values = [*pose[:3, 3], *(1.7 * Rotation.from_matrix(pose[:3, :3]).as_quat())]
        # A system for motion capture notes places more often than the camera takes pictures.
        lines.append(f"{time - 0.011:.6f} 0 0 0 0 0 0 1")
        lines.append(f"{time + 0.003:.6f} " + " ".join(f"{value:.12f}" for value in values))
    (folder / "groundtruth.txt").write_text("\n".join(lines) + "\n")
    return folder
