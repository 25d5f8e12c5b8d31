"""Triangle soups with texture coordinates in metres, and the few shapes that scenery is made of.

Everything is built in a local frame with x forward, y left and z up, then moved into the world.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from jaxtyping import Bool, Float, Int

LEAST_DOUBLE_AREA = 1e-7
"""Square metres below which a triangle is dropped: collapsed corners of lofts."""


@dataclass(frozen=True)
class Mesh:
    """Triangles, the texture coordinates of their corners, and the surface each belongs to."""

    triangles: Float[np.ndarray, "p 3 3"]
    uv: Float[np.ndarray, "p 3 2"]
    surface: Int[np.ndarray, "p"]

    def moved(self, local_to_world: Float[np.ndarray, "4 4"]) -> "Mesh":
        """The same mesh in another frame."""
        moved = turned(self.triangles, local_to_world[:3, :3]) + local_to_world[:3, 3]
        return Mesh(moved, self.uv, self.surface)

    def part(self, chosen: Bool[np.ndarray, "p"]) -> "Mesh":
        """The chosen triangles."""
        return Mesh(self.triangles[chosen], self.uv[chosen], self.surface[chosen])


def turned(
    vectors: Float[np.ndarray, "*p 3"], matrix: Float[np.ndarray, "3 3"]
) -> Float[np.ndarray, "*p 3"]:
    """matrix @ vector for each vector: written out, so that no thread count changes a bit of it."""
    x, y, z = vectors[..., 0, None], vectors[..., 1, None], vectors[..., 2, None]
    result: Float[np.ndarray, "*p 3"] = x * matrix[:, 0] + y * matrix[:, 1] + z * matrix[:, 2]
    return result


def joined(meshes: Iterable[Mesh]) -> Mesh:
    """One mesh of many."""
    parts = list(meshes)
    if not parts:
        return Mesh(np.zeros((0, 3, 3)), np.zeros((0, 3, 2)), np.zeros(0, np.int32))
    return Mesh(
        np.concatenate([part.triangles for part in parts]),
        np.concatenate([part.uv for part in parts]),
        np.concatenate([part.surface for part in parts]),
    )


def is_sound(mesh: Mesh) -> Bool[np.ndarray, "p"]:
    """False for collapsed triangles, which have no normal."""
    edges = mesh.triangles[:, 1:] - mesh.triangles[:, :1]
    double_area = np.linalg.norm(np.cross(edges[:, 0], edges[:, 1]), axis=1)
    sound: Bool[np.ndarray, "p"] = double_area > LEAST_DOUBLE_AREA
    return sound


def _soup(
    vertices: Float[np.ndarray, "_ 3"],
    uv: Float[np.ndarray, "_ 2"],
    faces: Int[np.ndarray, "p 3"],
    surface: int,
) -> Mesh:
    return Mesh(vertices[faces], uv[faces], np.full(len(faces), surface, np.int32))


def quads(
    corners: Float[np.ndarray, "p 4 3"], uv: Float[np.ndarray, "p 4 2"], surface: int
) -> Mesh:
    """Four-sided faces, corners in order around each."""
    order = [0, 1, 2, 0, 2, 3]
    return Mesh(
        corners[:, order].reshape(-1, 3, 3),
        uv[:, order].reshape(-1, 3, 2),
        np.full(2 * len(corners), surface, np.int32),
    )


def panel(corners: Sequence[Sequence[float]], surface: int) -> Mesh:
    """One flat four-sided face; u runs along its first edge from the first corner, v across."""
    points = np.asarray(corners, np.float64)
    width = np.linalg.norm(points[1] - points[0])
    height = np.linalg.norm(points[3] - points[0])
    uv = np.array([[0, 0], [width, 0], [width, height], [0, height]])
    return quads(points[None], uv[None], surface)


def box(
    low: Sequence[float],
    high: Sequence[float],
    surface: int,
    top: int | None = None,
) -> Mesh:
    """An axis-aligned box; on its sides v is the height above z = 0. `top` has its own surface.

    The bottom is left out: nothing looks at it from below.
    """
    (x0, y0, z0), (x1, y1, z1) = low, high
    start = np.array([[x0, y0], [x1, y0], [x1, y1], [x0, y1]], np.float64)
    end = np.roll(start, -1, axis=0)
    corners = np.empty((len(start) + 1, 4, 3))
    corners[:-1, [0, 3], :2], corners[:-1, [1, 2], :2] = start[:, None], end[:, None]
    corners[:-1, :2, 2], corners[:-1, 2:, 2] = z0, z1
    corners[-1, :, :2], corners[-1, :, 2] = start, z1
    # u is centred on each wall, so that windows keep off its corners; on the lid (u, v) = (x, y).
    uv = corners[..., 1:].copy()
    half = np.linalg.norm(end - start, axis=1)[:, None] / 2
    uv[:-1, [0, 3], 0], uv[:-1, [1, 2], 0] = -half, half
    uv[-1] = start
    faces = quads(corners, uv, surface)
    if top is not None:
        faces.surface[-2:] = top
    return faces


def loft(
    rings: Float[np.ndarray, "n k 3"],
    surfaces: Int[np.ndarray, "_ _"] | int,
    closed: bool = True,
) -> Mesh:
    """Faces between consecutive rings of k points; `surfaces[i, j]` names the face that joins
    points j and j + 1 of rings i and i + 1.
    """
    after = np.roll(rings, -1, axis=1)
    corners = np.stack([rings[:-1], after[:-1], after[1:], rings[1:]], axis=2)
    along = np.linalg.norm(np.diff(rings.mean(1), axis=0), axis=-1)
    v = np.concatenate([[0.0], np.cumsum(along)])
    u = np.concatenate([[0.0], np.cumsum(np.linalg.norm(after - rings, axis=-1).mean(0))])
    uv = np.empty((*corners.shape[:3], 2))
    uv[:, :, 0, 0] = uv[:, :, 3, 0] = u[None, :-1]
    uv[:, :, 1, 0] = uv[:, :, 2, 0] = u[None, 1:]
    uv[:, :, 0, 1] = uv[:, :, 1, 1] = v[:-1, None]
    uv[:, :, 2, 1] = uv[:, :, 3, 1] = v[1:, None]
    if not closed:
        corners, uv = corners[:, :-1], uv[:, :-1]
    flat = quads(corners.reshape(-1, 4, 3), uv.reshape(-1, 4, 2), 0)
    named = np.broadcast_to(np.asarray(surfaces, np.int32), corners.shape[:2])
    return Mesh(flat.triangles, flat.uv, np.repeat(named.reshape(-1), 2))


def tube(
    points: Float[np.ndarray, "n 3"], radii: Float[np.ndarray, "n"], surface: int, sides: int = 8
) -> Mesh:
    """A round bar through `points`; its cross-sections are level unless the bar is."""
    direction = points[-1] - points[0]
    upright = abs(direction[2]) > np.linalg.norm(direction[:2])
    first = np.array([1.0, 0, 0]) if upright else np.array([0, 0, 1.0])
    second = np.cross(direction / np.linalg.norm(direction), first)
    second /= np.linalg.norm(second)
    angle = np.arange(sides) * (2 * np.pi / sides)
    circle = np.cos(angle)[:, None] * first + np.sin(angle)[:, None] * second
    return loft(points[:, None] + radii[:, None, None] * circle, surface)


def disc(centre: Sequence[float], radius: float, surface: int, sides: int = 12) -> Mesh:
    """A disc that looks along +x; (u, v) is measured from its centre, leftwards and up."""
    angle = np.arange(sides) * (2 * np.pi / sides)
    rim = np.stack([np.cos(angle), np.sin(angle)], axis=1) * radius
    plane = np.concatenate([np.zeros((1, 2)), rim])
    vertices = np.concatenate([np.zeros((sides + 1, 1)), plane], axis=1) + np.asarray(centre)
    index = np.arange(sides)
    faces = np.stack([np.zeros_like(index), 1 + index, 1 + (index + 1) % sides], axis=1)
    return _soup(vertices, plane, faces, surface)


@lru_cache(maxsize=4)
def unit_ball(subdivisions: int) -> tuple[Float[np.ndarray, "n 3"], Int[np.ndarray, "p 3"]]:
    """Vertices and faces of an octahedron whose faces were cut in four so many times, blown up."""
    axes = np.eye(3)
    corners = np.array(
        [[x * axes[0], y * axes[1], z * axes[2]] for x in (1, -1) for y in (1, -1) for z in (1, -1)]
    )
    for _ in range(subdivisions):
        a, b, c = corners[:, 0], corners[:, 1], corners[:, 2]
        ab, bc, ca = a + b, b + c, c + a
        quarters = [(a, ab, ca), (b, bc, ab), (c, ca, bc), (ab, bc, ca)]
        corners = np.concatenate([np.stack(quarter, axis=1) for quarter in quarters])
        corners /= np.linalg.norm(corners, axis=2, keepdims=True)
    # Rounding makes the copies of a shared corner equal.
    vertices, faces = np.unique(corners.reshape(-1, 3).round(9), axis=0, return_inverse=True)
    return vertices, faces.reshape(-1, 3)


def surface_of_ball(
    vertices: Float[np.ndarray, "_ 3"], faces: Int[np.ndarray, "p 3"], surface: int
) -> Mesh:
    """A star-shaped closed surface about the origin; u runs around it in metres, v is the height.

    u is taken per triangle, so that the seam behind the ball does not smear the texture.
    """
    corners = vertices[faces]
    angle = np.arctan2(corners[..., 1], corners[..., 0])
    angle = angle[:, :1] + np.angle(np.exp(1j * (angle - angle[:, :1])))
    radius = float(np.linalg.norm(vertices[:, :2], axis=1).max())
    uv = np.stack([angle * radius, corners[..., 2]], axis=-1)
    return Mesh(corners, uv, np.full(len(faces), surface, np.int32))


def placement(x: float, y: float, z: float, yaw: float = 0.0) -> Float[np.ndarray, "4 4"]:
    """local_to_world of an upright object: turned by yaw about z, then shifted."""
    matrix = np.eye(4)
    cosine, sine = np.cos(yaw), np.sin(yaw)
    matrix[:2, :2] = [[cosine, -sine], [sine, cosine]]
    matrix[:3, 3] = x, y, z
    return matrix
