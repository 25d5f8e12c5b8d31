"""Rays against triangles: which face, how far, and whether anything stands in the way.

Embree finds the face in single precision; the distance along the ray is then the exact
intersection with that face's plane in double precision.
"""

from dataclasses import dataclass, fields
from typing import Any

import numpy as np
from jaxtyping import Bool, Float, Int

from leadline.data.synthetic.mesh import Mesh

MISS = -1
LARGEST_CORRECTION = 1e-3
"""Relative; single precision is far better than this except for rays along the face."""


@dataclass(frozen=True)
class Faces:
    """What shading needs to know of each triangle, as columns."""

    corner: Float[np.ndarray, "p 3"]
    normal: Float[np.ndarray, "p 3"]
    """Of unit length; either side may be the outer one."""
    uv: Float[np.ndarray, "p 2"]
    """Texture coordinates at `corner`."""
    uv_gradient: Float[np.ndarray, "p 2 3"]
    """Change of (u, v) per metre in the triangle's plane."""
    surface: Int[np.ndarray, "p"]
    instance: Int[np.ndarray, "p"]

    def __add__(self, other: "Faces") -> "Faces":
        return Faces(
            **{
                f.name: np.concatenate([getattr(self, f.name), getattr(other, f.name)])
                for f in fields(self)
            }
        )


def faces_of(mesh: Mesh, instance: Int[np.ndarray, "p"]) -> Faces:
    """The columns of a mesh. Corners are rounded to the precision that Embree sees."""
    corners = mesh.triangles.astype(np.float32).astype(np.float64)
    first, second = corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0]
    normal = np.cross(first, second)
    square = (normal**2).sum(1, keepdims=True)
    # The dual basis of the two edges: gradients of the barycentric coordinates.
    to_first, to_second = np.cross(second, normal) / square, np.cross(normal, first) / square
    uv_first, uv_second = mesh.uv[:, 1] - mesh.uv[:, 0], mesh.uv[:, 2] - mesh.uv[:, 0]
    gradient = uv_first[:, :, None] * to_first[:, None] + uv_second[:, :, None] * to_second[:, None]
    return Faces(
        corner=corners[:, 0],
        normal=normal / np.sqrt(square),
        uv=mesh.uv[:, 0].astype(np.float64),
        uv_gradient=gradient,
        surface=mesh.surface,
        instance=instance,
    )


def _embree() -> tuple[Any, Any]:
    """The modules of embreex that hold scenes and triangle meshes, loaded on first use."""
    try:
        from embreex import mesh_construction, rtcore_scene
    except ImportError as error:
        raise ImportError(
            "the synthetic world needs embreex, which is not installed; "
            'run pip install "leadline[synthetic]"'
        ) from error
    return rtcore_scene, mesh_construction


class _Tree:
    """One Embree scene."""

    def __init__(self, mesh: Mesh) -> None:
        scenes, meshes = _embree()
        self._scene: Any = scenes.EmbreeScene()
        triangles = np.ascontiguousarray(mesh.triangles, np.float32)
        self._mesh = meshes.TriangleMesh(self._scene, triangles)

    def first(
        self, origins: np.ndarray, directions: np.ndarray
    ) -> tuple[Int[np.ndarray, "p"], Float[np.ndarray, "p"]]:
        found = self._scene.run(origins, directions, output=1)
        return found["primID"].astype(np.int64), found["tfar"].astype(np.float64)

    def blocks(
        self, origins: np.ndarray, directions: np.ndarray, reach: float
    ) -> Bool[np.ndarray, "p"]:
        limits = np.full(len(origins), reach, np.float32)
        found: np.ndarray = self._scene.run(origins, directions, limits, query="OCCLUDED")
        hidden: Bool[np.ndarray, "p"] = found != MISS
        return hidden


class Raycaster:
    """A still world, built once per drive, and the moving things of one moment."""

    def __init__(self, still: Mesh, instance: Int[np.ndarray, "p"]) -> None:
        self._still_tree = _Tree(still)
        self._still_faces = faces_of(still, instance)
        self._trees = [self._still_tree]
        self.faces = self._still_faces

    def with_moving(self, moving: Mesh, instance: Int[np.ndarray, "p"]) -> "Raycaster":
        """The same still world with other moving things; the still part is shared."""
        if len(moving.surface) == 0:
            return self
        moment = object.__new__(Raycaster)
        moment._still_tree, moment._still_faces = self._still_tree, self._still_faces
        moment._trees = [self._still_tree, _Tree(moving)]
        moment.faces = self._still_faces + faces_of(moving, instance)
        return moment

    def nearest(
        self, origins: Float[np.ndarray, "p 3"], directions: Float[np.ndarray, "p 3"]
    ) -> tuple[Int[np.ndarray, "p"], Float[np.ndarray, "p"]]:
        """The face that each ray meets first (`MISS` = none) and how far, in units of its
        direction's length (infinite where it meets none).
        """
        start = np.ascontiguousarray(origins, np.float32)
        towards = np.ascontiguousarray(directions, np.float32)
        face = np.full(len(start), MISS, np.int64)
        distance = np.full(len(start), np.inf)
        offset = 0
        for tree, count in zip(self._trees, self._face_counts(), strict=True):
            found, rough = tree.first(start, towards)
            met = np.flatnonzero(found != MISS)
            number = found[met] + offset
            along = self._refined(number, origins[met], directions[met], rough[met])
            nearer = along < distance[met]
            face[met[nearer]] = number[nearer]
            distance[met[nearer]] = along[nearer]
            offset += count
        return face, distance

    def _face_counts(self) -> list[int]:
        still = len(self._still_faces.surface)
        return [still, len(self.faces.surface) - still][: len(self._trees)]

    def _refined(
        self, face: np.ndarray, origins: np.ndarray, directions: np.ndarray, rough: np.ndarray
    ) -> Float[np.ndarray, "p"]:
        """Distance to the planes of the faces; `rough` for rays that all but lie in the plane."""
        normal = self.faces.normal[face]
        above = ((self.faces.corner[face] - origins) * normal).sum(1)
        rate = (directions * normal).sum(1)
        exact = above / np.where(rate == 0, 1, rate)
        return np.where(np.abs(exact - rough) < LARGEST_CORRECTION * rough, exact, rough)

    def blocked(
        self,
        origins: Float[np.ndarray, "p 3"],
        direction: Float[np.ndarray, "3"],
        reach: float,
    ) -> Bool[np.ndarray, "p"]:
        """Whether something stands within `reach` metres of points in one direction."""
        start = np.ascontiguousarray(origins, np.float32)
        towards = np.broadcast_to(direction.astype(np.float32), start.shape).copy()
        hidden = np.zeros(len(start), bool)
        for tree in self._trees:
            hidden |= tree.blocks(start, towards, reach)
        return hidden
