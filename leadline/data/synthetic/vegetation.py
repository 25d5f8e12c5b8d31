"""Trees, bushes and hedges: tapered trunks, and crowns of lumps with loose leaves around them.

Measures without a name are metres or shares of a height, chosen by eye.
"""

import numpy as np
from jaxtyping import Float

from leadline.data.synthetic.kinds import Kind
from leadline.data.synthetic.mesh import (
    Mesh,
    joined,
    placement,
    quads,
    surface_of_ball,
    tube,
    unit_ball,
)
from leadline.data.synthetic.scenery import Colour, Material, Scenery, Surface

LEAVES: tuple[Colour, ...] = (
    (0.06, 0.14, 0.03),
    (0.10, 0.17, 0.04),
    (0.05, 0.10, 0.03),
    (0.16, 0.17, 0.04),
    (0.20, 0.13, 0.03),
    (0.09, 0.13, 0.06),
)
BARKS: tuple[Colour, ...] = ((0.12, 0.09, 0.07), (0.16, 0.13, 0.10), (0.22, 0.17, 0.13))
LUMP_ROUGHNESS = 0.22
LEAF_SIZE = (0.09, 0.24)
LEAVES_PER_SQUARE_METRE = 6.0
ROUGH, FINE = 2, 3
"""Subdivisions of lumps far from the road and near it."""
TYPICAL_HEIGHT = 7.0
VARIETIES = 7
MOST_LEAVES = {ROUGH: 50, FINE: 150}


def _leaf_surface(scenery: Scenery, random: np.random.Generator) -> int:
    base = np.array(LEAVES[random.integers(len(LEAVES))]) * random.uniform(0.8, 1.3)
    base *= random.uniform(0.9, 1.1, 3)
    shift = (float(random.uniform(0, 100)), float(random.uniform(0, 100)))
    colour = (float(base[0]), float(base[1]), float(base[2]))
    return scenery.surface(Surface(Material.FOLIAGE, Kind.FOLIAGE, colour, shift=shift))


def _lump(
    radii: Float[np.ndarray, "3"], fineness: int, surface: int, random: np.random.Generator
) -> Mesh:
    """A ball with a rough, uneven surface."""
    vertices, faces = unit_ball(fineness)
    waves = random.normal(size=(6, 3)) * 2.5
    swell = np.sin(vertices @ waves.T + random.uniform(0, 2 * np.pi, 6)).mean(1)
    grain = random.uniform(-1, 1, len(vertices))
    radius = 1 + LUMP_ROUGHNESS * (swell + 0.7 * grain)
    return surface_of_ball(vertices * radius[:, None] * radii, faces, surface)


def _loose_leaves(
    radii: Float[np.ndarray, "3"], most: int, surface: int, random: np.random.Generator
) -> Mesh:
    """Small tilted squares just outside a lump, which break its outline."""
    area = 4 * np.pi * float(np.mean(radii)) ** 2
    count = min(most, int(LEAVES_PER_SQUARE_METRE * area))
    direction = random.normal(size=(count, 3))
    direction /= np.linalg.norm(direction, axis=1, keepdims=True)
    centre = direction * radii * random.uniform(0.9, 1.25, (count, 1))
    size = random.uniform(*LEAF_SIZE, (count, 1))
    first = random.normal(size=(count, 3))
    first *= size / np.linalg.norm(first, axis=1, keepdims=True)
    second = np.cross(first, random.normal(size=(count, 3)))
    second *= size / np.linalg.norm(second, axis=1, keepdims=True)
    corners = np.stack([centre - first, centre - second, centre + first, centre + second], axis=1)
    uv = corners[..., :2] + corners[..., 2:]
    return quads(corners, uv, surface)


def _leafy_lump(
    radii: Float[np.ndarray, "3"], fineness: int, surface: int, random: np.random.Generator
) -> list[Mesh]:
    """A lump with loose leaves about it."""
    return [
        _lump(radii, fineness, surface, random),
        _loose_leaves(radii, MOST_LEAVES[fineness], surface, random),
    ]


def _tree(height: float, scenery: Scenery, random: np.random.Generator, fineness: int) -> Mesh:
    """A tree on the origin: a bent trunk under three to six lumps."""
    bark_colour = BARKS[random.integers(len(BARKS))]
    bark = scenery.surface(Surface(Material.BARK, Kind.TRUNK, bark_colour))
    leaves = _leaf_surface(scenery, random)
    stem = height * random.uniform(0.36, 0.52)
    radius = 0.07 + 0.018 * height * random.uniform(0.7, 1.4)
    bend = random.normal(0, 0.03 * height, 2)
    levels = np.array([-0.5, 0.0, 0.4 * stem, stem, 0.8 * height])
    share = np.clip(levels / height, 0, 1)[:, None]
    points = np.concatenate([share**1.5 * bend, levels[:, None]], axis=1)
    trunk = tube(points, radius * np.array([1.5, 1.25, 0.9, 0.75, 0.3]), bark)
    crown = []
    spread = height * random.uniform(0.22, 0.34)
    lumps = int(random.integers(3, 7))
    for lump in range(lumps):
        aside = random.normal(0, 0.45 * spread, 2) if lump else np.zeros(2)
        level = random.uniform(stem + 0.4 * spread, max(height, stem + spread) - 0.4 * spread)
        radii = spread * random.uniform(0.55, 0.95) * np.array([1, 1, random.uniform(0.65, 0.95)])
        at = np.array([*(bend + aside), level])
        for part in _leafy_lump(radii, fineness, leaves, random):
            crown.append(Mesh(part.triangles + at, part.uv, part.surface))
    return joined([trunk, *crown])


def _bush(radius: float, scenery: Scenery, random: np.random.Generator) -> Mesh:
    """A lump of leaves that sits on the ground."""
    leaves = _leaf_surface(scenery, random)
    radii = radius * np.array([1, random.uniform(0.8, 1.3), random.uniform(0.7, 1.2)])
    parts = _leafy_lump(radii, FINE, leaves, random)
    at = np.array([0, 0, 0.6 * radii[2]])
    return joined(Mesh(part.triangles + at, part.uv, part.surface) for part in parts)


class Nursery:
    """The few trees and bushes of a drive, to be stood many times at other sizes and turns."""

    def __init__(self, scenery: Scenery, random: np.random.Generator) -> None:
        self._trees = {
            fineness: [_tree(TYPICAL_HEIGHT, scenery, random, fineness) for _ in range(VARIETIES)]
            for fineness in (ROUGH, FINE)
        }
        self._bushes = [_bush(1.0, scenery, random) for _ in range(VARIETIES)]

    def tree(self, height: float, random: np.random.Generator, fineness: int = FINE) -> Mesh:
        """A tree on the origin."""
        return _sized(self._trees[fineness], height / TYPICAL_HEIGHT, random)

    def bush(self, radius: float, random: np.random.Generator) -> Mesh:
        """A bush on the origin."""
        return _sized(self._bushes, radius, random)


def _sized(varieties: list[Mesh], factor: float, random: np.random.Generator) -> Mesh:
    one = varieties[random.integers(len(varieties))]
    turn = placement(0, 0, 0, random.uniform(0, 2 * np.pi))
    turn[:3, :3] *= factor
    return one.moved(turn)


def hedge(length: float, height: float, scenery: Scenery, random: np.random.Generator) -> Mesh:
    """A row of squat lumps along y that grow into one another."""
    leaves = _leaf_surface(scenery, random)
    parts = []
    for y in np.arange(-length / 2, length / 2, 0.8 * height):
        radii = height * np.array([0.45, random.uniform(0.6, 0.75), random.uniform(0.55, 0.7)])
        at = np.array([0, y, 0.4 * height])
        for part in _leafy_lump(radii, ROUGH, leaves, random):
            parts.append(Mesh(part.triangles + at, part.uv, part.surface))
    return joined(parts)
