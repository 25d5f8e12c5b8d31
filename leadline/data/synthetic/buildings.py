"""Houses, garages and textureless walls. Measures without a name are metres, chosen by eye."""

from dataclasses import dataclass

import numpy as np

from leadline.data.synthetic.kinds import Kind
from leadline.data.synthetic.mesh import Mesh, box, joined, panel
from leadline.data.synthetic.scenery import Colour, Material, Scenery, Surface

FOUNDATION = 4.0
"""Metres that walls go on below the ground, so that no slope uncovers their feet."""
EAVES = 0.35
PLASTERS: tuple[Colour, ...] = (
    (0.62, 0.55, 0.42),
    (0.66, 0.62, 0.55),
    (0.55, 0.33, 0.22),
    (0.50, 0.50, 0.48),
    (0.68, 0.52, 0.26),
    (0.42, 0.46, 0.50),
    (0.60, 0.42, 0.36),
    (0.36, 0.42, 0.33),
)
BRICKS: tuple[Colour, ...] = (
    (0.30, 0.10, 0.06),
    (0.36, 0.19, 0.11),
    (0.25, 0.13, 0.09),
    (0.42, 0.34, 0.24),
)
ROOFS: tuple[Colour, ...] = (
    (0.24, 0.08, 0.05),
    (0.10, 0.10, 0.11),
    (0.16, 0.10, 0.08),
    (0.30, 0.14, 0.08),
)
FRAMES: tuple[Colour, ...] = ((0.75, 0.75, 0.72), (0.10, 0.07, 0.05), (0.10, 0.16, 0.12))
BLANKS: tuple[Colour, ...] = (
    (0.62, 0.62, 0.60),
    (0.55, 0.50, 0.42),
    (0.36, 0.37, 0.38),
    (0.50, 0.40, 0.33),
)
BRICK_SHARE = 0.4
BRICK_COURSE = (0.075, 0.22)


def choice(palette: tuple[Colour, ...], random: np.random.Generator) -> Colour:
    """A colour of the palette, a little changed."""
    base = np.array(palette[random.integers(len(palette))])
    varied = np.clip(base * random.uniform(0.8, 1.15) * random.uniform(0.94, 1.06, 3), 0.01, 0.8)
    return float(varied[0]), float(varied[1]), float(varied[2])


@dataclass(frozen=True)
class House:
    """Measures of a house; its front stands in the plane x = 0 and looks along -x."""

    width: float
    depth: float
    storeys: int
    storey_height: float
    pitched: bool

    @property
    def height(self) -> float:
        """Of the walls."""
        return self.storeys * self.storey_height + 0.3


def house(measures: House, scenery: Scenery, random: np.random.Generator) -> Mesh:
    """A house with windows, a roof, and what sticks out of it; y runs along its front."""
    front = _facade(measures, scenery, random)
    # Many gable ends have no window: the same wall without openings.
    gable = front if random.random() < 0.5 else _blind(front, scenery)
    roof = scenery.surface(
        Surface(Material.ROOF, Kind.BUILDING, choice(ROOFS, random), numbers=(0.3,))
    )
    half, depth, height = measures.width / 2, measures.depth, measures.height
    walls = _four_walls(half, depth, height, front, gable)
    parts = [walls]
    if measures.pitched:
        parts.append(_gabled_roof(half, depth, height, random.uniform(0.5, 0.95), roof, gable))
        parts.append(_chimney(half, depth, height, roof, gable, random))
    else:
        parts.append(
            box([-EAVES, -half - EAVES, height], [depth + EAVES, half + EAVES, height + 0.4], roof)
        )
    if measures.storeys > 1:
        parts += _balconies(measures, scenery, random)
    if random.random() < 0.6:
        parts.append(_porch(half, roof, front, random))
    return joined(parts)


def _facade(measures: House, scenery: Scenery, random: np.random.Generator) -> int:
    """numbers: storey height, window spacing, window width, window height, course, top."""
    brick = random.random() < BRICK_SHARE
    spacing = random.uniform(1.9, 3.4)
    return scenery.surface(
        Surface(
            Material.FACADE,
            Kind.BUILDING,
            choice(BRICKS if brick else PLASTERS, random),
            accent=choice(FRAMES, random),
            numbers=(
                measures.storey_height,
                spacing,
                spacing * random.uniform(0.35, 0.62),
                measures.storey_height * random.uniform(0.4, 0.55),
                BRICK_COURSE[0] * random.uniform(1, 2) if brick else 0.0,
                measures.height,
            ),
        )
    )


def _blind(front: int, scenery: Scenery) -> int:
    facade = scenery.surfaces[front]
    course = facade.numbers[4]
    return scenery.surface(
        Surface(Material.WALL, Kind.BUILDING, facade.colour, facade.accent, (course, 3 * course))
    )


def _four_walls(half: float, depth: float, height: float, front: int, gable: int) -> Mesh:
    ring = [(0.0, half), (0.0, -half), (depth, -half), (depth, half)]
    sides = []
    for start, end, surface in zip(
        ring, ring[1:] + ring[:1], (front, gable, front, gable), strict=True
    ):
        length = float(np.hypot(end[0] - start[0], end[1] - start[1]))
        corners = [(*start, -FOUNDATION), (*end, -FOUNDATION), (*end, height), (*start, height)]
        wall = panel(corners, surface)
        sides.append(Mesh(wall.triangles, wall.uv - [length / 2, FOUNDATION], wall.surface))
    return joined(sides)


def _gabled_roof(
    half: float, depth: float, height: float, steepness: float, roof: int, gable: int
) -> Mesh:
    """Ridge along the front (y): the eaves look at the street."""
    ridge = height + steepness * depth / 2
    drop = steepness * EAVES
    y0, y1 = -half - EAVES, half + EAVES
    slopes = [
        panel(
            [
                (x, y0, height - drop),
                (x, y1, height - drop),
                (depth / 2, y1, ridge),
                (depth / 2, y0, ridge),
            ],
            roof,
        )
        for x in (-EAVES, depth + EAVES)
    ]
    ends = []
    for y in (-half, half):
        corners = np.array([[[0, y, height], [depth, y, height], [depth / 2, y, ridge]]])
        ends.append(Mesh(corners, corners[..., [0, 2]], np.full(1, gable, np.int32)))
    return joined([*slopes, *ends])


def _chimney(
    half: float, depth: float, height: float, roof: int, wall: int, random: np.random.Generator
) -> Mesh:
    y = random.uniform(-half, half) * 0.7
    x = depth / 2 + random.uniform(0.2, 0.8)
    top = height + depth * 0.5 + random.uniform(0.3, 0.9)
    return box([x - 0.3, y - 0.3, height], [x + 0.3, y + 0.3, top], wall, roof)


def _balconies(measures: House, scenery: Scenery, random: np.random.Generator) -> list[Mesh]:
    if random.random() < 0.4:
        return []
    slab = scenery.surface(Surface(Material.PLAIN, Kind.BUILDING, choice(BLANKS, random)))
    y = random.uniform(-0.6, 0.6) * measures.width / 2
    reach, half = random.uniform(0.7, 1.3), random.uniform(1.0, 1.8)
    floors = measures.storey_height * np.arange(1, measures.storeys)
    return [
        box([-reach, y - half, floor - 0.1], [0.0, y + half, floor + 0.85], slab)
        for floor in floors
    ]


def _porch(half: float, roof: int, wall: int, random: np.random.Generator) -> Mesh:
    y = random.uniform(-0.5, 0.5) * half
    return box([-random.uniform(0.5, 1.3), y - 1.0, -0.5], [0.0, y + 1.0, 2.4], wall, roof)


def blank_wall(length: float, height: float, scenery: Scenery, random: np.random.Generator) -> Mesh:
    """A long wall of one flat colour: stereo finds nothing on it."""
    plain = scenery.surface(Surface(Material.PLAIN, Kind.TEXTURELESS_WALL, choice(BLANKS, random)))
    thickness = random.uniform(0.25, 5.0)
    return box([0, -length / 2, -FOUNDATION], [thickness, length / 2, height], plain)
