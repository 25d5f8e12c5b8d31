"""Cars, vans and lorries, lofted from a table of side views. Measures in metres, by eye."""

from dataclasses import dataclass
from enum import IntEnum
from functools import lru_cache

import numpy as np

from leadline.data.synthetic.kinds import Kind
from leadline.data.synthetic.mesh import Mesh, disc, is_sound, joined, loft, panel, placement
from leadline.data.synthetic.scenery import Colour, Material, Scenery, Surface

PAINTS: tuple[Colour, ...] = (
    (0.62, 0.63, 0.64),
    (0.30, 0.31, 0.33),
    (0.02, 0.02, 0.025),
    (0.35, 0.03, 0.03),
    (0.04, 0.08, 0.25),
    (0.05, 0.16, 0.10),
    (0.45, 0.38, 0.20),
    (0.10, 0.22, 0.38),
    (0.70, 0.70, 0.66),
    (0.55, 0.20, 0.03),
)
STAND_OFF = 0.015
"""Metres that lights and plates stand off the body: enough for rays to tell them apart. A plate
stands off the bumper as much again."""
GROUND_CLEARANCE = 0.22
WHEEL_SIDES = 14


@dataclass(frozen=True)
class Shape:
    """A side view: for each station the x, the belt line, the roof line and what is between them.

    `cabin[i]` says whether there is glass between the belt and the roof from station i to i + 1.
    """

    width: float
    wheel_radius: float
    axles: tuple[float, float]
    x: tuple[float, ...]
    belt: tuple[float, ...]
    roof: tuple[float, ...]
    cabin: tuple[bool, ...]


SHAPES: dict[str, Shape] = {
    "hatchback": Shape(
        width=1.68,
        wheel_radius=0.30,
        axles=(1.22, -1.24),
        x=(-1.88, -1.80, -1.45, 0.35, 1.02, 1.78, 1.92),
        belt=(0.62, 0.88, 0.93, 0.90, 0.86, 0.72, 0.55),
        roof=(0.64, 0.92, 1.42, 1.44, 0.92, 0.78, 0.57),
        cabin=(False, True, True, True, False, False),
    ),
    "sedan": Shape(
        width=1.78,
        wheel_radius=0.32,
        axles=(1.38, -1.36),
        x=(-2.28, -2.20, -1.70, -1.05, 0.30, 1.08, 2.12, 2.28),
        belt=(0.66, 0.92, 0.95, 0.94, 0.92, 0.88, 0.74, 0.56),
        roof=(0.68, 0.95, 1.00, 1.42, 1.44, 0.94, 0.80, 0.58),
        cabin=(False, False, True, True, True, False, False),
    ),
    "estate": Shape(
        width=1.80,
        wheel_radius=0.32,
        axles=(1.40, -1.36),
        x=(-2.30, -2.24, -1.98, 0.30, 1.08, 2.12, 2.30),
        belt=(0.66, 0.92, 0.95, 0.92, 0.88, 0.74, 0.56),
        roof=(0.68, 0.96, 1.46, 1.48, 0.94, 0.80, 0.58),
        cabin=(False, True, True, True, False, False),
    ),
    "van": Shape(
        width=1.96,
        wheel_radius=0.34,
        axles=(1.60, -1.55),
        x=(-2.50, -2.46, -2.35, 1.15, 1.75, 2.38, 2.52),
        belt=(0.60, 1.10, 1.20, 1.20, 1.10, 0.92, 0.60),
        roof=(0.62, 2.10, 2.25, 2.28, 1.60, 1.02, 0.62),
        cabin=(False, False, False, True, False, False),
    ),
    "lorry": Shape(
        width=2.40,
        wheel_radius=0.46,
        axles=(2.50, -2.20),
        x=(-3.90, -3.88, 1.70, 1.75, 3.20, 3.45, 3.60),
        belt=(1.00, 1.05, 1.05, 1.05, 1.30, 1.25, 0.70),
        roof=(1.02, 3.20, 3.20, 2.55, 2.55, 1.45, 0.72),
        cabin=(False, False, False, True, True, False),
    ),
}
CAR_SHARES = {"hatchback": 0.36, "sedan": 0.24, "estate": 0.22, "van": 0.13, "lorry": 0.05}


class Part(IntEnum):
    """The parts of a vehicle that have surfaces of their own."""

    BODY = 0
    GLASS = 1
    TAIL = 2
    HEAD = 3
    PLATE = 4
    BUMPER = 5
    TYRE = 6
    HUB = 7


PART_SURFACES: dict[Part, tuple[Material, Colour]] = {
    Part.GLASS: (Material.GLASS, (0.025, 0.03, 0.035)),
    Part.TAIL: (Material.PLAIN, (0.55, 0.02, 0.02)),
    Part.HEAD: (Material.PLAIN, (0.75, 0.75, 0.70)),
    Part.PLATE: (Material.PLAIN, (0.72, 0.72, 0.62)),
    Part.BUMPER: (Material.PLAIN, (0.05, 0.05, 0.05)),
    Part.TYRE: (Material.PLAIN, (0.015, 0.015, 0.015)),
    Part.HUB: (Material.METAL, (0.30, 0.30, 0.32)),
}


def vehicle(scenery: Scenery, moving: bool, random: np.random.Generator) -> tuple[Mesh, float]:
    """A vehicle about its middle on the ground, x forward, and its length."""
    name = str(random.choice(list(CAR_SHARES), p=list(CAR_SHARES.values())))
    kind = Kind.MOVING_VEHICLE if moving else Kind.VEHICLE
    stretch = random.uniform(0.95, 1.05)
    paint = np.clip(np.array(PAINTS[random.integers(len(PAINTS))]) * random.uniform(0.8, 1.2), 0, 1)
    shift = (float(random.uniform(0, 100)), float(random.uniform(0, 100)))
    body: Colour = (float(paint[0]), float(paint[1]), float(paint[2]))
    looks = {Part.BODY: (Material.PAINT, body), **PART_SURFACES}
    surface_of_part = np.array(
        [
            scenery.surface(Surface(material, kind, colour, shift=shift))
            for material, colour in (looks[part] for part in Part)
        ],
        np.int32,
    )
    shape, template = SHAPES[name], _template(name)
    grown = Mesh(
        template.triangles * [stretch, 1, 1], template.uv, surface_of_part[template.surface]
    )
    return grown, (shape.x[-1] - shape.x[0]) * stretch


@lru_cache(maxsize=len(SHAPES))
def _template(name: str) -> Mesh:
    """A vehicle whose surfaces are the numbers of its parts."""
    shape = SHAPES[name]
    whole = joined([_body(shape), _ends(shape), _wheels(shape)])
    return whole.part(is_sound(whole))


def _body(shape: Shape) -> Mesh:
    """Rings of six points: sill, belt and roof on either side. The roof is narrower."""
    half = shape.width / 2
    rings = []
    for x, belt, roof in zip(shape.x, shape.belt, shape.roof, strict=True):
        tumblehome = 0.42 * np.clip(roof - belt, 0, 0.55)
        top = half - 0.04 - tumblehome
        nose = 0.06 if x in (shape.x[0], shape.x[-1]) else 0.0
        rings.append(
            [
                (x, half - 0.05 - nose, GROUND_CLEARANCE),
                (x, half - nose, belt),
                (x, top - nose, roof),
                (x, -top + nose, roof),
                (x, -half + nose, belt),
                (x, -half + 0.05 + nose, GROUND_CLEARANCE),
            ]
        )
    names = np.full((len(rings) - 1, 6), Part.BODY, np.int32)
    for station, is_cabin in enumerate(shape.cabin):
        if is_cabin:
            names[station, [1, 3]] = Part.GLASS
            if abs(shape.roof[station + 1] - shape.roof[station]) > 0.2:
                names[station, 2] = Part.GLASS  # windscreen or rear window
    shell = loft(np.array(rings), names)
    caps = [_cap(rings[0]), _cap(rings[-1])]
    return joined([shell, *caps])


def _cap(ring: list[tuple[float, float, float]]) -> Mesh:
    lower = panel([ring[0], ring[5], ring[4], ring[1]], Part.BODY)
    upper = panel([ring[1], ring[4], ring[3], ring[2]], Part.BODY)
    return joined([lower, upper])


def _ends(shape: Shape) -> Mesh:
    half = shape.width / 2 - 0.12
    parts = []
    for end, light in ((0, Part.TAIL), (-1, Part.HEAD)):
        outward = -1.0 if end == 0 else 1.0
        x = shape.x[end] + outward * 2 * STAND_OFF
        top = shape.belt[end]
        for side in (-1, 1):
            parts.append(_tile(x, side * (half - 0.14), top - 0.13, 0.17, 0.10, light))
        parts.append(_tile(x, 0.0, top - 0.18, 0.25, 0.06, Part.PLATE))
        lower = x - outward * STAND_OFF
        parts.append(_tile(lower, 0.0, GROUND_CLEARANCE + 0.1, half, 0.09, Part.BUMPER))
    return joined(parts)


def _tile(x: float, y: float, z: float, half_width: float, half_height: float, s: int) -> Mesh:
    y0, y1, z0, z1 = y - half_width, y + half_width, z - half_height, z + half_height
    return panel([(x, y0, z0), (x, y1, z0), (x, y1, z1), (x, y0, z1)], s)


def _wheels(shape: Shape) -> Mesh:
    wheels = []
    angle = np.arange(WHEEL_SIDES) * (2 * np.pi / WHEEL_SIDES)
    radius = shape.wheel_radius
    circle = np.stack([radius * np.cos(angle), np.zeros(WHEEL_SIDES), radius * np.sin(angle)], 1)
    outer = shape.width / 2 + 0.02
    to_left, to_right = (placement(0, 0, 0, turn) for turn in (np.pi / 2, -np.pi / 2))
    for x in shape.axles:
        for side, turn in ((1, to_left), (-1, to_right)):
            y = side * outer
            centre = np.array([x, 0, radius])
            rings = np.stack(
                [circle + centre + [0, y - side * 0.25, 0], circle + centre + [0, y, 0]]
            )
            face = disc((0, 0, 0), radius, Part.TYRE, WHEEL_SIDES).moved(turn)
            cap = disc((STAND_OFF, 0, 0), 0.62 * radius, Part.HUB, WHEEL_SIDES).moved(turn)
            at = placement(x, y, radius)
            wheels += [loft(rings, Part.TYRE), face.moved(at), cap.moved(at)]
    return joined(wheels)
