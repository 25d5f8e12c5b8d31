"""Where to stand things: places along a road turned into positions in the world."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from leadline.data.synthetic.mesh import Mesh, placement
from leadline.data.synthetic.road import Roads
from leadline.data.synthetic.scenery import Scenery
from leadline.data.synthetic.styles import StyleNumbers
from leadline.data.synthetic.terrain import Terrain
from leadline.data.synthetic.vegetation import Nursery

LEFT, RIGHT = 1, -1


@dataclass(frozen=True)
class Site:
    """The land and the roads of one drive, and the scenery that grows on it."""

    numbers: StyleNumbers
    roads: Roads
    terrain: Terrain
    scenery: Scenery
    nursery: Nursery
    random: np.random.Generator

    def edge(self, side: int) -> float:
        """Half width of the carriageway on a side."""
        return self.roads.edge[0 if side == LEFT else 1]

    def beside(self, s: float, side: int, offset: float) -> Float[np.ndarray, "2"]:
        """The point `offset` metres beyond the edge of the main road."""
        d = side * (self.edge(side) + offset)
        points, _ = self.roads.main.at(np.array([s]), d)
        point: Float[np.ndarray, "2"] = points[0]
        return point

    def outward(self, s: float, side: int) -> float:
        """The heading that looks away from the main road."""
        return float(self.roads.main.at(np.array([s]))[1][0]) + side * np.pi / 2

    def free(self, point: Float[np.ndarray, "2"], margin: float) -> bool:
        """Whether a point keeps `margin` metres from every carriageway."""
        return bool(self.roads.clearance(point[None])[0] > margin)

    def upright(
        self, point: Float[np.ndarray, "2"], yaw: float, raised: float = 0.0
    ) -> Float[np.ndarray, "4 4"]:
        """local_to_world of an upright thing whose origin stands on the ground."""
        x, y = float(point[0]), float(point[1])
        return placement(x, y, self.terrain.height_at(x, y) + raised, yaw)

    def along_slope(
        self, point: Float[np.ndarray, "2"], yaw: float, length: float
    ) -> Float[np.ndarray, "4 4"]:
        """As `upright` for something long in y: sheared so that both its ends meet the ground."""
        side = np.array([-np.sin(yaw), np.cos(yaw)]) * length / 2
        ends = self.terrain.height(np.stack([point - side, point + side]))
        matrix = self.upright(point, yaw)
        matrix[2, 3] = ends.mean()
        matrix[2, 1] = (ends[1] - ends[0]) / length
        return matrix

    def stand(self, mesh: Mesh, local_to_world: Float[np.ndarray, "4 4"]) -> None:
        """Add a mesh as an object of its own."""
        self.scenery.add(mesh.moved(local_to_world))
