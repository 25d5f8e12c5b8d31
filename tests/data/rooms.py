"""A room with painted walls, seen by a camera in a hand: exact pictures, depths and poses."""

from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np
from data.rgbd_trees import write_depth_png, write_intrinsics
from scipy.spatial.transform import Rotation

SIZE = (120, 160)
FOCAL = 140.0
CAMERA = np.array([[FOCAL, 0, 79.5], [0, FOCAL, 59.5], [0, 0, 1]])
HALF = np.array([1.6, 1.1, 2.0])
"""Metres from the middle of the room to its walls."""
STEP, TURN = 0.05, 3.0
"""Metres and degrees from frame to frame of a walk."""


CORNER = Rotation.from_euler("yx", [38, -20], degrees=True).as_matrix()
"""Looks at two walls and the floor: of one wall alone nobody can tell a turn from a step."""


def pose_at(place: Sequence[float], turn: Sequence[float] = (0, 0, 0)) -> np.ndarray:
    """camera_to_world of a look into the corner, turned on by degrees about x, y and z."""
    pose = np.eye(4)
    pose[:3, :3] = CORNER @ Rotation.from_euler("xyz", turn, degrees=True).as_matrix()
    pose[:3, 3] = place
    return pose


def view(
    pose: np.ndarray, camera: np.ndarray = CAMERA, size: tuple[int, int] = SIZE
) -> tuple[np.ndarray, np.ndarray]:
    """The grey picture and the depth."""
    rows, columns = np.mgrid[: size[0], : size[1]]
    pixels = np.stack([columns, rows, np.ones_like(rows)])
    rays = np.einsum("ij,jhw->ihw", pose[:3, :3] @ np.linalg.inv(camera), pixels)
    start, half = pose[:3, 3, None, None], HALF[:, None, None]
    ways = np.where(rays == 0, np.inf, (np.sign(rays) * half - start) / np.where(rays, rays, 1))
    depth, wall = ways.min(0), ways.argmin(0)
    points = start + rays * depth
    picture = np.zeros(size, np.float32)
    for axis in range(3):
        for side in (-1, 1):
            u, v = (points[other].astype(np.float32) for other in range(3) if other != axis)
            paint = _paint(3 * axis + side)
            places = [(each + 4) / 8 * (paint.shape[0] - 1) for each in (u, v)]
            here = (wall == axis) & (np.sign(rays[axis]) == side)
            picture[here] = cv2.remap(paint, *places, cv2.INTER_LINEAR)[here]
    return np.clip(np.rint(picture), 0, 255).astype(np.uint8), depth


def walk(count: int, step: float = STEP, turn: float = TURN) -> list[np.ndarray]:
    """Poses of a camera that goes sideways and looks to and fro."""
    turns = turn * np.array([0, 1, 2, 1, 0, -1, -2, -1])
    return [
        pose_at([-0.6 + step * i, 0.1, 0.0], [turns[i % 8] / 3, turns[i % 8], turns[(i + 2) % 8]])
        for i in range(count)
    ]


def motion(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """first_to_second of two cameras that stand like this."""
    return np.linalg.inv(second) @ first


def write_room(
    folder: Path,
    poses: Sequence[np.ndarray],
    camera: np.ndarray = CAMERA,
    size: tuple[int, int] = SIZE,
) -> Path:
    """A sequence as 7-Scenes has them."""
    write_intrinsics(folder, camera[0, 0], *camera[:2, 2])
    for number, pose in enumerate(poses):
        picture, depth = view(pose, camera, size)
        stem = folder / f"frame-{number:06d}"
        cv2.imwrite(f"{stem}.color.png", picture)
        write_depth_png(Path(f"{stem}.depth.png"), np.rint(1000 * depth))
        np.savetxt(f"{stem}.pose.txt", pose)
    return folder


def _paint(wall: int) -> np.ndarray:
    noise = np.random.default_rng(wall + 10).normal(size=(500, 500)).astype(np.float32)
    coarse = cv2.GaussianBlur(noise, (0, 0), 4)
    fine = cv2.GaussianBlur(noise.T.copy(), (0, 0), 1.5)
    return 128 + 40 * coarse / coarse.std() + 20 * fine / fine.std()
