"""A spinning scanner: rays in rows and columns of angle, points with a little noise in range."""

import numpy as np
from jaxtyping import Float

from leadline.data.synthetic.mesh import turned
from leadline.data.synthetic.raycast import MISS, Raycaster
from leadline.data.synthetic.scenery import SurfaceArrays

BEAMS = 64
ELEVATION = np.deg2rad([-24.8, 2.0])
"""Lowest and highest beam, as the scanner on KITTI's car."""
AZIMUTH_STEP = np.deg2rad(0.25)
HALF_SWEEP = np.deg2rad(48.0)
"""Only what lies ahead is scanned: a little more than the cameras see."""
RANGE = 100.0
RANGE_NOISE = 0.02
DROPOUT = 0.04
LUMINANCE = np.array([0.2126, 0.7152, 0.0722])
"""Rec. 709."""


def scan(
    caster: Raycaster,
    surfaces: SurfaceArrays,
    velo_to_world: Float[np.ndarray, "4 4"],
    random: np.random.Generator,
) -> Float[np.ndarray, "p 4"]:
    """One sweep: x forward, y left, z up in metres of the scanner's frame, and reflectance."""
    directions = _beams()
    origins = np.broadcast_to(velo_to_world[:3, 3], directions.shape)
    face, distance = caster.nearest(origins, turned(directions, velo_to_world[:3, :3]))
    measured = distance + random.normal(0, RANGE_NOISE, len(distance))
    kept = (face != MISS) & (distance < RANGE) & (random.random(len(distance)) > DROPOUT)
    points = directions[kept] * measured[kept, None]
    reflectance = surfaces.colour[caster.faces.surface[face[kept]]] @ LUMINANCE
    return np.concatenate([points, reflectance[:, None]], axis=1).astype(np.float32)


def _beams() -> Float[np.ndarray, "p 3"]:
    elevation = np.linspace(ELEVATION[0], ELEVATION[1], BEAMS)[:, None]
    azimuth = np.arange(HALF_SWEEP, -HALF_SWEEP, -AZIMUTH_STEP)[None, :]
    level = np.cos(elevation)
    up = np.broadcast_to(np.sin(elevation), (BEAMS, azimuth.shape[1]))
    rays = np.stack([level * np.cos(azimuth), level * np.sin(azimuth), up], axis=-1)
    return rays.reshape(-1, 3)
