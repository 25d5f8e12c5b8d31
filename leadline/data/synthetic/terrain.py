"""The shape of the land: hills, banks beside the road, and a rim that closes the horizon."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from leadline.data.synthetic.mesh import Mesh
from leadline.data.synthetic.road import Roads
from leadline.data.synthetic.styles import StyleNumbers

HILL_WAVES = 7
HILL_LENGTHS = (55.0, 320.0)
RELIEF_WAVES = 6
RELIEF_LENGTHS = (14.0, 45.0)
RELIEF_STARTS = (1.5, 14.0)
"""Metres beside the carriageway between which the banks rise to their full height."""
RIM_STARTS = (90.0, 420.0)
RIM_HEIGHT = 26.0
RIM_WAVES = 5
RIM_LENGTHS = (120.0, 500.0)
FLANK = 45.0
"""Metres around the road that the mesh covers finely."""
FAR_EDGE = 700.0
FINEST_CELL = 1.5
MOST_FINE_CELLS = 60_000
CELL_GROWTH = 1.18
WHEELBASE = 2.6
TRACK = 1.5


def smoothstep(x: Float[np.ndarray, "p"], low: float, high: float) -> Float[np.ndarray, "p"]:
    """0 below `low`, 1 above `high`, smooth between."""
    t = np.clip((x - low) / (high - low), 0, 1)
    return t * t * (3 - 2 * t)


@dataclass(frozen=True)
class Waves:
    """A sum of plane waves: a smooth random field known everywhere."""

    wave_vector: Float[np.ndarray, "k 2"]
    phase: Float[np.ndarray, "k"]
    height: Float[np.ndarray, "k"]

    def at(self, points: Float[np.ndarray, "p 2"]) -> Float[np.ndarray, "p"]:
        """The field at points of the plane."""
        turns = points[:, :1] * self.wave_vector[:, 0] + points[:, 1:] * self.wave_vector[:, 1]
        heights: Float[np.ndarray, "p"] = (np.sin(turns + self.phase) * self.height).sum(1)
        return heights


def _waves(
    count: int, lengths: tuple[float, float], random: np.random.Generator
) -> tuple[Waves, Float[np.ndarray, "k"]]:
    """Waves of height 1 with lengths spread evenly in octaves, and their wave numbers."""
    length = np.geomspace(*lengths, count)
    direction = random.uniform(0, 2 * np.pi, count)
    number = 2 * np.pi / length
    vector = np.stack([np.cos(direction), np.sin(direction)], axis=1) * number[:, None]
    return Waves(vector, random.uniform(0, 2 * np.pi, count), np.ones(count)), number


class Terrain:
    """Heights of the ground as a function of the plane."""

    def __init__(self, roads: Roads, numbers: StyleNumbers, random: np.random.Generator) -> None:
        self._roads = roads
        self._relief_height = numbers.relief
        hills, number = _waves(HILL_WAVES, HILL_LENGTHS, random)
        # Equal steepness for every wave; their sum then has the wanted root mean square.
        steepness = numbers.slope * np.sqrt(2 / HILL_WAVES)
        self._hills = Waves(hills.wave_vector, hills.phase, steepness / number)
        relief, _ = _waves(RELIEF_WAVES, RELIEF_LENGTHS, random)
        self._relief = Waves(
            relief.wave_vector, relief.phase, np.full(RELIEF_WAVES, np.sqrt(2 / RELIEF_WAVES))
        )
        rim, _ = _waves(RIM_WAVES, RIM_LENGTHS, random)
        self._rim = Waves(rim.wave_vector, rim.phase, np.full(RIM_WAVES, 1 / RIM_WAVES))

    def height(self, points: Float[np.ndarray, "p 2"]) -> Float[np.ndarray, "p"]:
        """Metres above the zero level."""
        beside = self._roads.clearance(points)
        bank = smoothstep(beside, *RELIEF_STARTS) * self._relief_height * self._relief.at(points)
        # Far from every road the clearance is a constant; the distance to the box of the main
        # road's points goes on growing.
        low, high = self._roads.main.points.min(0), self._roads.main.points.max(0)
        outside = np.linalg.norm(points - np.clip(points, low, high), axis=1)
        rim = smoothstep(outside, *RIM_STARTS) * RIM_HEIGHT * (1 + self._rim.at(points))
        heights: Float[np.ndarray, "p"] = self._hills.at(points) + bank + rim
        return heights

    def height_at(self, x: float, y: float) -> float:
        """The height of one point."""
        return float(self.height(np.array([[x, y]]))[0])

    def resting(self, x: float, y: float, yaw: float) -> Float[np.ndarray, "4 4"]:
        """local_to_world of something that stands on four wheels: x forward, y left, z up."""
        forward = np.array([np.cos(yaw), np.sin(yaw)])
        left = np.array([-forward[1], forward[0]])
        centre = np.array([x, y])
        feet = centre + np.array(
            [forward * WHEELBASE / 2, -forward * WHEELBASE / 2, left * TRACK / 2, -left * TRACK / 2]
        )
        front, back, port, starboard = self.height(feet)
        ahead = np.array([*forward, (front - back) / WHEELBASE])
        aside = np.array([*left, (port - starboard) / TRACK])
        ahead /= np.linalg.norm(ahead)
        up = np.cross(ahead, aside)
        up /= np.linalg.norm(up)
        matrix = np.eye(4)
        matrix[:3, :3] = np.stack([ahead, np.cross(up, ahead), up], axis=1)
        matrix[:3, 3] = x, y, (front + back + port + starboard) / 4
        return matrix

    def mesh(self, surface: int) -> Mesh:
        """The ground as one mesh, fine near the road, coarse far away; (u, v) is (x, y)."""
        low = self._roads.main.points.min(0) - FLANK
        high = self._roads.main.points.max(0) + FLANK
        cell = max(FINEST_CELL, float(np.sqrt(np.prod(high - low) / MOST_FINE_CELLS)))
        x, y = (_grid_line(low[axis], high[axis], cell) for axis in range(2))
        plane = np.stack(np.meshgrid(x, y), axis=-1)
        height = self.height(plane.reshape(-1, 2)).reshape(plane.shape[:2])
        points = np.concatenate([plane, height[..., None]], axis=-1)
        a, b = points[:-1, :-1], points[:-1, 1:]
        c, d = points[1:, 1:], points[1:, :-1]
        triangles = np.stack([np.stack([a, b, c], 2), np.stack([a, c, d], 2)]).reshape(-1, 3, 3)
        return Mesh(triangles, triangles[..., :2], np.full(len(triangles), surface, np.int32))


def _grid_line(low: float, high: float, cell: float) -> Float[np.ndarray, "n"]:
    middle = np.linspace(low, high, int(np.ceil((high - low) / cell)) + 1)
    count = int(np.ceil(np.log(1 + FAR_EDGE * (CELL_GROWTH - 1) / cell) / np.log(CELL_GROWTH)))
    away = np.cumsum(cell * CELL_GROWTH ** np.arange(1, count + 1))
    return np.concatenate([low - away[::-1], middle, high + away])
