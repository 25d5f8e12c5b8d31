"""Everything that stands in a world: surfaces, and objects made of meshes with those surfaces."""

from dataclasses import dataclass, field
from enum import IntEnum

import numpy as np
from jaxtyping import Float, Int

from leadline.data.synthetic.kinds import Kind
from leadline.data.synthetic.mesh import Mesh, is_sound, joined

Colour = tuple[float, float, float]
"""Share of light that a surface gives back in red, green and blue (linear, not display values)."""
NUMBERS = 6


class Material(IntEnum):
    """Which painter colours a surface."""

    GROUND = 0
    PAVING = 1
    KERB = 2
    FACADE = 3
    WALL = 4
    PLAIN = 5
    ROOF = 6
    FOLIAGE = 7
    BARK = 8
    WOOD = 9
    METAL = 10
    PAINT = 11
    GLASS = 12
    SIGN = 13


@dataclass(frozen=True)
class Surface:
    """A material with its colours. What `numbers` mean is the painter's to say."""

    material: Material
    kind: Kind
    colour: Colour
    accent: Colour = (0.0, 0.0, 0.0)
    numbers: tuple[float, ...] = ()
    shift: tuple[float, float] = (0.0, 0.0)
    """Added to (u, v), so that equal things are not painted alike."""


@dataclass(frozen=True)
class SurfaceArrays:
    """All surfaces as columns, indexed by the number that triangles carry."""

    material: Int[np.ndarray, "k"]
    kind: Int[np.ndarray, "k"]
    colour: Float[np.ndarray, "k 3"]
    accent: Float[np.ndarray, "k 3"]
    numbers: Float[np.ndarray, "k _"]
    shift: Float[np.ndarray, "k 2"]


@dataclass
class Scenery:
    """Collects surfaces and objects; instance 0 is the sky, 1 the ground, others count up."""

    surfaces: list[Surface] = field(default_factory=list)
    _meshes: list[Mesh] = field(default_factory=list)
    _instances: list[Int[np.ndarray, "p"]] = field(default_factory=list)
    _next_instance: int = 1
    _numbers: dict[Surface, int] = field(default_factory=dict)

    def surface(self, surface: Surface) -> int:
        """The number of a surface; the same surface twice is one."""
        if surface not in self._numbers:
            self._numbers[surface] = len(self.surfaces)
            self.surfaces.append(surface)
        return self._numbers[surface]

    def instance(self) -> int:
        """A fresh object number."""
        self._next_instance += 1
        return self._next_instance - 1

    def add(self, mesh: Mesh) -> None:
        """Stand a mesh in the world, as an object of its own."""
        self._meshes.append(mesh)
        self._instances.append(np.full(len(mesh.surface), self.instance(), np.int32))

    def still_objects(self) -> tuple[Mesh, Int[np.ndarray, "p"]]:
        """All that was added but collapsed triangles, and the object number of each triangle."""
        whole = joined(self._meshes)
        kept = is_sound(whole)
        return whole.part(kept), np.concatenate(self._instances)[kept]

    def arrays(self) -> SurfaceArrays:
        """The surfaces as columns."""
        numbers = np.zeros((len(self.surfaces), NUMBERS), np.float32)
        for row, surface in enumerate(self.surfaces):
            numbers[row, : len(surface.numbers)] = surface.numbers
        return SurfaceArrays(
            material=np.array([s.material for s in self.surfaces], np.int32),
            kind=np.array([s.kind for s in self.surfaces], np.int32),
            colour=np.array([s.colour for s in self.surfaces], np.float32),
            accent=np.array([s.accent for s in self.surfaces], np.float32),
            numbers=numbers,
            shift=np.array([s.shift for s in self.surfaces], np.float32),
        )
