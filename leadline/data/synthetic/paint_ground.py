"""The painter of the ground: asphalt with its markings, verges, grass and fields.

The mesh of the ground knows nothing of roads; where a point lies is worked out from the plan, so
that edges and markings are sharp at any distance. Factors without a name are contrasts, by eye.
"""

from dataclasses import dataclass
from enum import IntEnum

import numpy as np
from jaxtyping import Float, Int

from leadline.data.synthetic.kinds import Kind
from leadline.data.synthetic.noise import Noise, band, doublings, stripes, visible_share
from leadline.data.synthetic.painting import FINE, Spots, grainy, mixed, tinted
from leadline.data.synthetic.road import FAR, Roads
from leadline.data.synthetic.styles import StyleNumbers

WHITE = np.array([0.62, 0.62, 0.58], np.float32)
LINE_WIDTH = 0.13
DASH = (3.0, 7.5)
"""Length of a dash of the centre line, and from one dash to the next."""
SHOULDER = 0.7
FIELDS_START = 18.0
FIELD_SIZE = 45.0
FURROW = 0.9
PATCH = (5.0, 1.4)
"""Length and width of the cells that may hold a repaired patch of asphalt."""
CRACK_SCALE = 2.3
MEADOW_SCALES = doublings(0.04, 10.24)


class Zone(IntEnum):
    """What covers the ground at a point."""

    ROAD = 0
    SHOULDER = 1
    GRASS = 2
    FIELD = 3


@dataclass(frozen=True)
class GroundColours:
    """The colours of a drive's ground (linear)."""

    asphalt: Float[np.ndarray, "3"]
    shoulder: Float[np.ndarray, "3"]
    grass: Float[np.ndarray, "3"]
    soil: Float[np.ndarray, "3"]
    crop: Float[np.ndarray, "3"]
    marked: bool
    edge_lines: bool


def ground_colours(numbers: StyleNumbers, random: np.random.Generator) -> GroundColours:
    """Colours of one drive."""
    grey = random.uniform(0.07, 0.16)
    warm = random.uniform(-0.04, 0.06)
    return GroundColours(
        asphalt=grey * np.array([1 + warm, 1, 1 - warm]),
        shoulder=np.array([0.26, 0.23, 0.18]) * random.uniform(0.7, 1.2),
        grass=np.array([0.09, 0.14, 0.035]) * random.uniform(0.7, 1.3, 3),
        soil=np.array([0.20, 0.14, 0.09]) * random.uniform(0.7, 1.2),
        crop=np.array([0.28, 0.24, 0.08]) * random.uniform(0.6, 1.2, 3),
        marked=random.random() < 0.8,
        edge_lines=numbers.pavement == 0 and random.random() < 0.7,
    )


class GroundPainter:
    """Colours points of the ground of one drive; their (u, v) is (x, y)."""

    def __init__(
        self, roads: Roads, numbers: StyleNumbers, colours: GroundColours, noise: Noise
    ) -> None:
        self._roads, self._numbers = roads, numbers
        self._colours, self._noise = colours, noise

    def kinds(self, x: Float[np.ndarray, "p"], y: Float[np.ndarray, "p"]) -> Int[np.ndarray, "p"]:
        """Road or terrain."""
        on_road = self._roads.clearance(np.stack([x, y], axis=1)) <= 0
        return np.where(on_road, Kind.ROAD, Kind.TERRAIN)

    def paint(self, spots: Spots) -> Float[np.ndarray, "p 3"]:
        """The colour of each point."""
        points = np.stack([spots.u, spots.v], axis=1)
        s, d = self._roads.main.locate(points)
        beside = self._roads.clearance(points)
        zone = self._zones(spots, beside)
        colour = np.empty((len(points), 3), np.float32)
        for number, painter in (
            (Zone.SHOULDER, self._shoulder),
            (Zone.GRASS, self._grass),
            (Zone.FIELD, self._field),
        ):
            chosen = np.flatnonzero(zone == number)
            if len(chosen):
                colour[chosen] = painter(_subset(spots, chosen))
        chosen = np.flatnonzero(zone == Zone.ROAD)
        if len(chosen):
            colour[chosen] = self._road(_subset(spots, chosen), s[chosen], d[chosen])
        return colour

    def _zones(self, spots: Spots, beside: Float[np.ndarray, "p"]) -> Int[np.ndarray, "p"]:
        fray = 0.35 * self._noise.value(spots.u / 1.1, spots.v / 1.1)
        zone = np.full(len(beside), int(Zone.GRASS))
        zone[beside + fray < SHOULDER] = Zone.SHOULDER
        zone[beside <= 0] = Zone.ROAD
        i = np.floor(spots.u / FIELD_SIZE).astype(np.int64)
        j = np.floor(spots.v / FIELD_SIZE).astype(np.int64)
        tilled = self._noise.cell(i, j) > 0.1
        zone[(beside > FIELDS_START) & tilled] = Zone.FIELD
        return zone

    def _shoulder(self, spots: Spots) -> Float[np.ndarray, "p 3"]:
        ground = np.broadcast_to(self._colours.shoulder, spots.colour.shape)
        return tinted(ground, grainy(spots, self._noise, 0.22 * spots.texture))

    def _grass(self, spots: Spots) -> Float[np.ndarray, "p 3"]:
        green = np.broadcast_to(self._colours.grass, spots.colour.shape)
        soil = np.broadcast_to(self._colours.soil, spots.colour.shape)
        bare = np.clip(2.2 * self._noise.value(spots.u / 5 + 0.3, spots.v / 5) - 0.8, 0, 0.8)
        return tinted(mixed(green, soil, bare), grainy(spots, self._noise, 0.26, MEADOW_SCALES))

    def _field(self, spots: Spots) -> Float[np.ndarray, "p 3"]:
        i = np.floor(spots.u / FIELD_SIZE).astype(np.int64)
        j = np.floor(spots.v / FIELD_SIZE).astype(np.int64)
        tone = 0.5 + 0.5 * self._noise.cell(i + 5, j + 3)
        across = np.where(self._noise.cell(i + 9, j) > 0, spots.u, spots.v)
        rows = stripes(across, FURROW, 0.45 * FURROW, spots.footprint)
        soil = np.broadcast_to(self._colours.soil, spots.colour.shape)
        crop = self._colours.crop * (0.6 + 0.7 * tone[:, None])
        ground = mixed(soil, crop, rows * 0.8 + 0.2 * tone)
        return tinted(ground, grainy(spots, self._noise, 0.2, MEADOW_SCALES))

    def _road(
        self, spots: Spots, s: Float[np.ndarray, "p"], d: Float[np.ndarray, "p"]
    ) -> Float[np.ndarray, "p 3"]:
        noise, f, texture = self._noise, spots.footprint, spots.texture
        asphalt = np.broadcast_to(self._colours.asphalt, spots.colour.shape)
        tone = grainy(spots, noise, 0.18 * texture, FINE)
        tone = tone * (1 - 0.35 * texture * self._patches(s, d, f))
        tone = tone * (1 - 0.6 * texture * self._cracks(spots))
        # Wheels polish two tracks in each lane.
        tracks = np.cos(4 * np.pi * d / self._numbers.lane)
        tone = tone * (1 - 0.06 * texture * tracks * (np.abs(d) < self._numbers.lane))
        tone = tone * (1 + 0.12 * texture * noise.value(s / 9.0, d / 0.5))
        worn = np.clip(0.75 + 0.5 * noise.octaves(spots.u, spots.v, f, FINE[:6]), 0.2, 1)
        lines = self._lines(s, d, f) * worn
        return mixed(tinted(asphalt, tone), np.broadcast_to(WHITE, asphalt.shape), lines)

    def _patches(self, s: np.ndarray, d: np.ndarray, f: np.ndarray) -> Float[np.ndarray, "p"]:
        length, width = PATCH
        i, j = np.floor(s / length).astype(np.int64), np.floor(d / width).astype(np.int64)
        repaired = self._noise.cell(i, j + 17) > 0.72
        share: Float[np.ndarray, "p"] = repaired * visible_share(width, f)
        return share

    def _cracks(self, spots: Spots) -> Float[np.ndarray, "p"]:
        """Thin dark lines where a wavy field crosses zero."""
        u, v = spots.u / CRACK_SCALE, spots.v / CRACK_SCALE
        field = self._noise.value(u, v) + 0.35 * self._noise.value(3 * u + 5.1, 3 * v)
        thin = 0.012
        wide = np.maximum(spots.footprint / CRACK_SCALE, thin)
        near = np.clip(1 - np.abs(field) / wide, 0, 1)
        return near * (thin / wide) * (self._noise.value(u / 3, v / 3 + 0.7) > 0.05)

    def _lines(self, s: np.ndarray, d: np.ndarray, f: np.ndarray) -> Float[np.ndarray, "p"]:
        if not self._colours.marked:
            return np.zeros(len(s))
        lane, half = self._numbers.lane, LINE_WIDTH / 2
        total = band(d, -half, half, f) * stripes(s, DASH[1], DASH[0], f)
        if self._colours.edge_lines:
            total += band(np.abs(d), lane - half, lane + half, f)
        for strip, side in zip(self._numbers.parking, (1, -1), strict=True):
            if strip > 1.5:
                # Short ticks part the parking places.
                places = stripes(s, 5.6, LINE_WIDTH, f)
                total += band(side * d, lane, lane + strip, f) * places
        in_junction = np.zeros(len(s), bool)
        for road in self._roads.sides:
            in_junction |= np.abs(s - road.s) < road.half_width + 1
        return np.where(in_junction | (np.abs(d) > FAR / 2), 0, np.clip(total, 0, 1))


def _subset(spots: Spots, chosen: Int[np.ndarray, "p"]) -> Spots:
    return Spots(
        u=spots.u[chosen],
        v=spots.v[chosen],
        footprint=spots.footprint[chosen],
        colour=spots.colour[chosen],
        accent=spots.accent[chosen],
        numbers=spots.numbers[chosen],
        texture=spots.texture,
    )
