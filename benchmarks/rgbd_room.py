"""The frames of an RGB-D sequence as `rgbd_focal.py` looks at them, and two cameras to be tried."""

import itertools
from dataclasses import dataclass, field, replace
from pathlib import Path

import cv2
import numpy as np

from leadline.data.depth_files import MOST_STEPS
from leadline.data.png_files import read_png
from leadline.data.sources.rgbd_layouts import recordings

SIZE = (480, 640)
CENTRE = (320.0, 240.0)
GIVEN = 585.0
"""What the file beside the images says, in pixels."""
PAIRS, MOST_TURN, LEAST_OVERLAP, SPARSE = 150, 35.0, 0.3, 6
"""Pairs of frames; degrees between them; share of the points seen by both; pixels from point to
point."""
OCCLUDED = 0.03
"""Share of the depth."""
JUMP, NEAR_JUMP = 1.08, 13
"""Depth beyond an edge over depth before it; pixels within which it is looked for."""


@dataclass(frozen=True)
class Cameras:
    """What is tried; `offset` moves points of the depth camera into the colour camera, metres."""

    depth_focal: float = GIVEN
    colour_focal: float = GIVEN
    offset: tuple[float, float] = (0.0, 0.0)
    centre: tuple[float, float] = CENTRE

    def points(self, x: np.ndarray, y: np.ndarray, z: np.ndarray) -> np.ndarray:
        return np.stack(
            [(x - CENTRE[0]) / self.depth_focal * z, (y - CENTRE[1]) / self.depth_focal * z, z], 1
        )

    def in_depth(self, points: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        return _projected(points, self.depth_focal, CENTRE)

    def in_colour(self, points: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        return _projected(points + np.array([*self.offset, 0.0]), self.colour_focal, self.centre)


@dataclass(frozen=True, eq=False)
class Room:
    """Everything of the frames that the measures look at."""

    poses: list[np.ndarray]
    depths: list[np.ndarray]
    pictures: list[np.ndarray]
    strengths: list[np.ndarray]
    """How much of an edge is at each pixel, 0 in the mean of a picture."""
    edges: list[np.ndarray]
    """x, y, z of the near side of jumps of the depth."""
    pairs: list[tuple[int, int]] = field(default_factory=list)


def _projected(
    points: np.ndarray, focal: float, centre: tuple[float, float]
) -> tuple[np.ndarray, np.ndarray]:
    z = np.maximum(points[:, 2], 0.1)
    return focal * points[:, 0] / z + centre[0], focal * points[:, 1] / z + centre[1]


def inside(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    return (x > 1) & (x < SIZE[1] - 2) & (y > 1) & (y < SIZE[0] - 2)


def sampled(image: np.ndarray, x: np.ndarray, y: np.ndarray) -> np.ndarray:
    maps = x.astype(np.float32)[:, None], y.astype(np.float32)[:, None]
    return cv2.remap(image, *maps, cv2.INTER_LINEAR)[:, 0]


def read_room(folder: Path) -> Room:
    (recording,) = recordings(folder)
    poses = recording.read_poses().known
    numbers = [number for number in recording.images if number in poses]
    depths, pictures, strengths, edges = [], [], [], []
    for number in numbers:
        steps = read_png(recording.depths[number])
        metres = np.where(steps < MOST_STEPS, steps, 0).astype(np.float32) / recording.divide
        picture = cv2.imread(str(recording.images[number])).astype(np.float32) / 255
        depths.append(metres)
        pictures.append(cv2.GaussianBlur(picture, (0, 0), 1))
        strengths.append(_strength(picture))
        edges.append(_edges(metres))
    room = Room([poses[n] for n in numbers], depths, pictures, strengths, edges)
    return replace(room, pairs=_pairs(room))


def _strength(picture: np.ndarray) -> np.ndarray:
    grey = cv2.cvtColor(cv2.GaussianBlur(picture, (0, 0), 1.5), cv2.COLOR_BGR2GRAY)
    steep = np.hypot(cv2.Sobel(grey, -1, 1, 0), cv2.Sobel(grey, -1, 0, 1))
    share = steep / (steep + 3 * np.median(steep))
    return (share - share.mean()).astype(np.float32)


def _edges(depth: np.ndarray) -> np.ndarray:
    beyond = cv2.dilate(depth, np.ones((NEAR_JUMP, NEAR_JUMP))) > JUMP * depth
    last = (cv2.erode(depth, np.ones((3, 3))) == 0) | (
        cv2.dilate(depth, np.ones((3, 3))) > (1 + JUMP) / 2 * depth
    )
    border = np.zeros(SIZE, bool)
    border[8:-8, 8:-16] = True
    y, x = np.nonzero((depth > 0) & beyond & last & border)
    return np.stack([x, y, depth[y, x]])


def moved(room: Room, pair: tuple[int, int], cameras: Cameras) -> tuple[np.ndarray, ...]:
    """Points of the first frame, the same in the second, the depth found there, and which count."""
    one, other = pair
    y, x = (grid.ravel() for grid in np.mgrid[4 : SIZE[0] : SPARSE, 4 : SIZE[1] - 10 : SPARSE])
    z = room.depths[one][y, x]
    points = cameras.points(x, y, z)
    motion = np.linalg.inv(room.poses[other]) @ room.poses[one]
    there = points @ motion[:3, :3].T + motion[:3, 3]
    u, v = cameras.in_depth(there)
    seen = (z > 0) & (there[:, 2] > 0.1) & inside(u, v)
    columns, rows = (np.where(seen, np.rint(c), 0).astype(int) for c in (u, v))
    found = room.depths[other][rows, columns]
    return points, there, found, seen & (found > 0)


def _pairs(room: Room) -> list[tuple[int, int]]:
    chosen = []
    for one, other in itertools.permutations(range(len(room.poses)), 2):
        turn = room.poses[one][:3, :3].T @ room.poses[other][:3, :3]
        if abs(one - other) < 2 or np.trace(turn) < 1 + 2 * np.cos(np.deg2rad(MOST_TURN)):
            continue
        _, there, found, seen = moved(room, (one, other), Cameras())
        seen &= np.abs(found - there[:, 2]) < 2 * OCCLUDED * found
        if seen.mean() > LEAST_OVERLAP:
            chosen.append((one, other))
    order = np.random.default_rng(0).permutation(len(chosen))[:PAIRS]
    return [chosen[n] for n in order]
