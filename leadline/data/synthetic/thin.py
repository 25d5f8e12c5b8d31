"""Thin things: lamp posts, signs, telegraph poles, fences of slats or wires, guard rails.

Measures without a name are metres, chosen by eye.
"""

import numpy as np

from leadline.data.synthetic.kinds import Kind
from leadline.data.synthetic.mesh import Mesh, box, disc, joined, tube
from leadline.data.synthetic.scenery import Colour, Material, Scenery, Surface

STEELS: tuple[Colour, ...] = ((0.30, 0.31, 0.32), (0.12, 0.13, 0.12), (0.05, 0.09, 0.07))
WOODS: tuple[Colour, ...] = ((0.22, 0.14, 0.08), (0.30, 0.25, 0.19), (0.55, 0.53, 0.48))
LAMP_HEIGHT = (4.5, 7.5)
POST_DEPTH = 0.6
"""Metres that posts stand in the ground."""
SIGN_COLOURS: tuple[tuple[Colour, Colour], ...] = (
    ((0.70, 0.70, 0.68), (0.55, 0.02, 0.02)),
    ((0.03, 0.10, 0.45), (0.70, 0.70, 0.70)),
    ((0.70, 0.50, 0.03), (0.03, 0.03, 0.03)),
    ((0.55, 0.02, 0.02), (0.70, 0.70, 0.68)),
)


def _steel(scenery: Scenery, kind: Kind, random: np.random.Generator) -> int:
    colour = STEELS[random.integers(len(STEELS))]
    return scenery.surface(Surface(Material.METAL, kind, colour))


def _post(height: float, radius: float, surface: int, sides: int = 8) -> Mesh:
    ends = np.array([[0, 0, -POST_DEPTH], [0, 0, height]])
    return tube(ends, np.full(2, radius), surface, sides)


def lamp_post(scenery: Scenery, random: np.random.Generator) -> Mesh:
    """A tapered post with an arm along +x that carries the lamp."""
    steel = _steel(scenery, Kind.POLE, random)
    height, reach = random.uniform(*LAMP_HEIGHT), random.uniform(0.5, 1.6)
    stem = tube(
        np.array([[0, 0, -POST_DEPTH], [0, 0, 0.9], [0, 0, height]]),
        np.array([0.11, 0.09, 0.05]),
        steel,
    )
    arm = tube(
        np.array([[0, 0, height - 0.05], [reach, 0, height + 0.15]]), np.full(2, 0.04), steel
    )
    head = box([reach - 0.2, -0.12, height + 0.05], [reach + 0.5, 0.12, height + 0.2], steel)
    return joined([stem, arm, head])


def road_sign(scenery: Scenery, random: np.random.Generator) -> Mesh:
    """A post with one or two discs or boards that look along -x."""
    steel = scenery.surface(Surface(Material.METAL, Kind.POLE, STEELS[0]))
    height = random.uniform(2.0, 2.8)
    parts = [_post(height + 0.35, 0.035, steel)]
    for level in range(int(random.integers(1, 3))):
        colour, accent = SIGN_COLOURS[random.integers(len(SIGN_COLOURS))]
        radius = random.uniform(0.26, 0.36)
        z = height - 0.8 * level
        round_sign = random.random() < 0.6
        face = scenery.surface(
            Surface(Material.SIGN, Kind.SIGN, colour, accent, (radius, float(round_sign)))
        )
        if round_sign:
            plate = disc((-0.05, 0, z), radius, face, sides=16)
            centred = Mesh(plate.triangles, plate.uv, plate.surface)
        else:
            plate = disc((-0.05, 0, z), radius * np.sqrt(2), face, sides=4)
            turn = np.array([[1, 1], [-1, 1]]) / np.sqrt(2)
            turned = plate.triangles - [0, 0, z]
            turned[..., 1:] = turned[..., 1:] @ turn.T
            centred = Mesh(turned + np.array([0, 0, z]), plate.uv @ turn.T, plate.surface)
        parts.append(centred)
    return joined(parts)


def telegraph_pole(scenery: Scenery, random: np.random.Generator) -> Mesh:
    """A wooden pole with a cross bar along y."""
    wood = scenery.surface(Surface(Material.WOOD, Kind.POLE, WOODS[0]))
    height = random.uniform(6.5, 8.5)
    bar = box([-0.06, -0.9, height - 0.6], [0.06, 0.9, height - 0.48], wood)
    return joined([_post(height, 0.12, wood), bar])


def bollard(scenery: Scenery, random: np.random.Generator) -> Mesh:
    """A short post at the edge of a pavement or road."""
    colour = ((0.6, 0.6, 0.58), (0.08, 0.08, 0.09))[random.integers(2)]
    steel = scenery.surface(Surface(Material.METAL, Kind.POLE, colour))
    return _post(random.uniform(0.8, 1.1), random.uniform(0.05, 0.09), steel)


def slat_fence(length: float, scenery: Scenery, random: np.random.Generator) -> Mesh:
    """Upright slats with gaps between them, on two rails; runs along y."""
    wood = _fence_wood(scenery, random)
    height = random.uniform(0.9, 1.6)
    width, gap = random.uniform(0.07, 0.14), random.uniform(0.06, 0.14)
    slats = [
        box([-0.012, y, -0.2], [0.012, y + width, height + random.uniform(-0.03, 0.03)], wood)
        for y in np.arange(-length / 2, length / 2 - width, width + gap)
    ]
    rails = [
        box([0.012, -length / 2, z], [0.05, length / 2, z + 0.08], wood)
        for z in (0.2 * height, 0.75 * height)
    ]
    return joined([*slats, *rails])


def rail_fence(length: float, scenery: Scenery, random: np.random.Generator) -> Mesh:
    """Posts with two to four level boards; runs along y."""
    wood = _fence_wood(scenery, random)
    height, boards = random.uniform(0.9, 1.3), int(random.integers(2, 5))
    levels = np.linspace(0.3, 1.0, boards) * height
    planks = [box([0, -length / 2, z - 0.11], [0.03, length / 2, z], wood) for z in levels]
    return joined([*_posts(length, 2.2, height + 0.1, 0.06, wood), *planks])


def wire_fence(length: float, scenery: Scenery, random: np.random.Generator) -> Mesh:
    """Posts with thin wires; runs along y."""
    steel = _steel(scenery, Kind.FENCE, random)
    height, wires = random.uniform(1.0, 1.8), int(random.integers(3, 7))
    strands = [
        tube(np.array([[0, -length / 2, z], [0, length / 2, z]]), np.full(2, 0.012), steel, sides=4)
        for z in np.linspace(0.25, 0.97, wires) * height
    ]
    return joined([*_posts(length, 2.6, height, 0.04, steel), *strands])


def bar_fence(length: float, scenery: Scenery, random: np.random.Generator) -> Mesh:
    """Upright steel bars between two rails; runs along y."""
    steel = _steel(scenery, Kind.FENCE, random)
    height, gap = random.uniform(1.1, 1.7), random.uniform(0.11, 0.2)
    bars = [
        box([-0.012, y, 0.1], [0.012, y + 0.024, height], steel)
        for y in np.arange(-length / 2, length / 2, gap)
    ]
    rails = [
        box([-0.02, -length / 2, z], [0.02, length / 2, z + 0.04], steel)
        for z in (0.15, height - 0.1)
    ]
    return joined([*_posts(length, 2.4, height + 0.1, 0.04, steel), *bars, *rails])


def guard_rail(length: float, scenery: Scenery, random: np.random.Generator) -> Mesh:
    """A steel band on posts; runs along y."""
    steel = scenery.surface(Surface(Material.METAL, Kind.FENCE, STEELS[0]))
    band = box([-0.06, -length / 2, 0.45], [0.0, length / 2, 0.76], steel)
    return joined([*_posts(length, 2.0, 0.76, 0.05, steel), band])


def _fence_wood(scenery: Scenery, random: np.random.Generator) -> int:
    shift = (float(random.uniform(0, 100)), float(random.uniform(0, 100)))
    colour = WOODS[random.integers(len(WOODS))]
    return scenery.surface(Surface(Material.WOOD, Kind.FENCE, colour, shift=shift))


def _posts(length: float, spacing: float, height: float, radius: float, surface: int) -> list[Mesh]:
    post = _post(height, radius, surface, sides=6)
    return [
        Mesh(post.triangles + np.array([radius, y, 0]), post.uv, post.surface)
        for y in np.arange(-length / 2, length / 2 + radius, spacing)
    ]
