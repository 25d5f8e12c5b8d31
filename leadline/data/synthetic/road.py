"""Roads in plan: a curved main road, straight side roads, and where a point lies along them.

A road's own coordinates are s, metres along its centre line, and d, metres to the left of it.
"""

from dataclasses import dataclass
from functools import cached_property

import cv2
import numpy as np
from jaxtyping import Float, Int

from leadline.data.synthetic.styles import StyleNumbers

STEP = 0.5
"""Metres between the samples of a centre line."""
CELL = 1.0
"""Metres between the points of the table that finds the nearest sample."""
REACH = 80.0
"""Metres from the centre line up to which (s, d) is known; further away d is just "far"."""
FAR = 1000.0
LARGEST_TURN = 1.0
"""Radians by which the road may turn from its first direction: it never comes back on itself."""
SIDE_ROAD_HALF_WIDTH = (2.4, 3.4)
SIDE_ROAD_LENGTH = (70.0, 110.0)
SIDE_ROAD_SKEW = 0.3


@dataclass(frozen=True)
class Centreline:
    """A smooth line in the plane, sampled every `STEP` metres from s = `start` on."""

    start: float
    points: Float[np.ndarray, "n 2"]
    heading: Float[np.ndarray, "n"]

    @property
    def end(self) -> float:
        """s of the last sample."""
        return self.start + STEP * (len(self.points) - 1)

    def at(
        self, s: Float[np.ndarray, "p"], d: Float[np.ndarray, "p"] | float = 0.0
    ) -> tuple[Float[np.ndarray, "p 2"], Float[np.ndarray, "p"]]:
        """The points at (s, d) and the road's heading there."""
        samples = self.start + STEP * np.arange(len(self.points))
        x = np.interp(s, samples, self.points[:, 0])
        y = np.interp(s, samples, self.points[:, 1])
        heading = np.interp(s, samples, self.heading)
        return np.stack([x - d * np.sin(heading), y + d * np.cos(heading)], axis=-1), heading

    def locate(
        self, points: Float[np.ndarray, "p 2"]
    ) -> tuple[Float[np.ndarray, "p"], Float[np.ndarray, "p"]]:
        """(s, d) of points; d is `FAR` beyond the reach of the table."""
        origin, nearest = self._nearest_sample
        cell = np.round((points - origin) / CELL).astype(np.int32)
        height, width = nearest.shape
        inside = (cell >= 0).all(1) & (cell[:, 0] < width) & (cell[:, 1] < height)
        index = np.where(inside, nearest[cell[:, 1] * inside, cell[:, 0] * inside], 0)
        ahead, left = self._offset(points, index)
        # The table is true to a metre; one step along the tangent finds the very nearest sample.
        step = np.clip(np.round(ahead / STEP), -8, 8).astype(np.int32)
        index = np.clip(index + step, 0, len(self.points) - 1)
        ahead, left = self._offset(points, index)
        beyond_ends = np.abs(ahead) > 4 * STEP
        return self.start + STEP * index + ahead, np.where(inside & ~beyond_ends, left, FAR)

    def _offset(
        self, points: Float[np.ndarray, "p 2"], index: Int[np.ndarray, "p"]
    ) -> tuple[Float[np.ndarray, "p"], Float[np.ndarray, "p"]]:
        cosine, sine = self._directions
        dx = points[:, 0] - self.points[index, 0]
        dy = points[:, 1] - self.points[index, 1]
        return dx * cosine[index] + dy * sine[index], dy * cosine[index] - dx * sine[index]

    @cached_property
    def _directions(self) -> tuple[Float[np.ndarray, "n"], Float[np.ndarray, "n"]]:
        return np.cos(self.heading), np.sin(self.heading)

    @cached_property
    def _nearest_sample(self) -> tuple[Float[np.ndarray, "2"], Int[np.ndarray, "h w"]]:
        origin = self.points.min(0) - REACH
        width, height = np.ceil((self.points.max(0) + REACH - origin) / CELL).astype(int) + 1
        empty = np.ones((height, width), np.uint8)
        cell = np.round((self.points - origin) / CELL).astype(int)
        empty[cell[:, 1], cell[:, 0]] = 0
        _, label = cv2.distanceTransformWithLabels(
            empty, cv2.DIST_L2, cv2.DIST_MASK_5, labelType=cv2.DIST_LABEL_PIXEL
        )
        sample_of_label = np.zeros(label.max() + 1, np.int32)
        sample_of_label[label[cell[:, 1], cell[:, 0]]] = np.arange(len(cell))
        return origin, sample_of_label[label]


@dataclass(frozen=True)
class SideRoad:
    """A straight road that leaves the main one at `s` towards `heading`."""

    s: float
    start: Float[np.ndarray, "2"]
    heading: float
    half_width: float
    length: float

    def locate(
        self, points: Float[np.ndarray, "p 2"]
    ) -> tuple[Float[np.ndarray, "p"], Float[np.ndarray, "p"]]:
        """(s, d) of points on this road; d is `FAR` beside its ends."""
        offset = points - self.start
        cosine, sine = np.cos(self.heading), np.sin(self.heading)
        along = offset[:, 0] * cosine + offset[:, 1] * sine
        left = offset[:, 1] * cosine - offset[:, 0] * sine
        return along, np.where((along >= 0) & (along <= self.length), left, FAR)

    def at(self, s: float, d: float) -> Float[np.ndarray, "2"]:
        """The point at (s, d)."""
        cosine, sine = np.cos(self.heading), np.sin(self.heading)
        return self.start + s * np.array([cosine, sine]) + d * np.array([-sine, cosine])


@dataclass(frozen=True)
class Roads:
    """The roads of a drive; `edge` holds the half widths of the main road, left and right."""

    main: Centreline
    sides: tuple[SideRoad, ...]
    edge: tuple[float, float]

    def clearance(self, points: Float[np.ndarray, "p 2"]) -> Float[np.ndarray, "p"]:
        """Metres from points to the nearest carriageway, negative on it."""
        _, d = self.main.locate(points)
        nearest = np.maximum(d - self.edge[0], -d - self.edge[1])
        for side in self.sides:
            nearest = np.minimum(nearest, np.abs(side.locate(points)[1]) - side.half_width)
        return nearest

    def junction(self, s: float, left: bool, margin: float) -> bool:
        """Whether a side road leaves on that side within `margin` of its edges."""
        _, heading = self.main.at(np.array([s]))
        return any(
            abs(side.s - s) < side.half_width + margin
            and (np.sin(side.heading - heading[0]) > 0) == left
            for side in self.sides
        )


def lay_roads(
    numbers: StyleNumbers, start: float, end: float, random: np.random.Generator
) -> Roads:
    """The roads of a drive whose main road runs from s = `start` to `end`, passing the origin."""
    main = _main_road(numbers, start, end, random)
    sides = []
    s = start + random.uniform(*numbers.junction_spacing) * random.uniform(0.3, 1.0)
    while s < end - max(numbers.curve_length):
        both = random.random() < 0.4
        first = random.random() < 0.5
        for left in [first, not first] if both else [first]:
            sides.append(_side_road(main, s, left, random))
        s += random.uniform(*numbers.junction_spacing)
    edge = (numbers.lane + numbers.parking[0], numbers.lane + numbers.parking[1])
    return Roads(main, tuple(sides), edge)


def _main_road(
    numbers: StyleNumbers, start: float, end: float, random: np.random.Generator
) -> Centreline:
    count = int((end - start) / STEP) + 1
    curvature = np.zeros(count)
    position, turned = 0.0, 0.0
    while position < end - start:
        position += random.uniform(*numbers.straight_length)
        length = random.uniform(*numbers.curve_length)
        bend = random.choice([-1.0, 1.0]) / random.uniform(*numbers.curve_radius)
        if abs(turned + bend * length) > LARGEST_TURN:
            bend = -bend
        first, last = int(position / STEP), int((position + length) / STEP)
        # A raised cosine eases the wheel in and out; its mean is 1/2, hence twice the angle.
        ease = 1 - np.cos(np.linspace(0, 2 * np.pi, max(last - first, 2)))
        room = len(curvature[first:last])
        curvature[first:last] = bend * ease[:room] / 2
        turned += bend * length / 2
        position += length
    heading = np.concatenate([[0.0], np.cumsum(curvature[:-1]) * STEP])
    heading += random.uniform(-np.pi, np.pi)
    steps = np.stack([np.cos(heading), np.sin(heading)], axis=1)[:-1] * STEP
    points = np.concatenate([np.zeros((1, 2)), np.cumsum(steps, axis=0)])
    at_origin = round(-start / STEP)
    return Centreline(start, points - points[at_origin], heading)


def _side_road(main: Centreline, s: float, left: bool, random: np.random.Generator) -> SideRoad:
    point, heading = main.at(np.array([s]))
    across = np.pi / 2 + random.uniform(-SIDE_ROAD_SKEW, SIDE_ROAD_SKEW)
    return SideRoad(
        s=s,
        start=point[0],
        heading=float(heading[0]) + (across if left else -across),
        half_width=random.uniform(*SIDE_ROAD_HALF_WIDTH),
        length=random.uniform(*SIDE_ROAD_LENGTH),
    )
