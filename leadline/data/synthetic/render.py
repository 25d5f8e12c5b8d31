"""One picture of a world, in linear light, with exact depth, kinds and object numbers."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int

from leadline.data.synthetic import paint_built, paint_nature
from leadline.data.synthetic.kinds import Kind
from leadline.data.synthetic.light import (
    BASE_LIGHT,
    FILL_LIGHT,
    FILL_REACH,
    SUN_REACH,
    Light,
    sky,
    veiled,
)
from leadline.data.synthetic.mesh import turned
from leadline.data.synthetic.noise import Noise
from leadline.data.synthetic.paint_ground import GroundPainter
from leadline.data.synthetic.painting import Spots
from leadline.data.synthetic.raycast import MISS, Raycaster
from leadline.data.synthetic.scenery import Material, SurfaceArrays

LEAST_SLANT = 0.04
"""Cosine below which a surface seen edge-on counts as no more slanted."""
SHADOW_OFFSET = 0.012
"""Metres off the surface from which shadow rays start."""
FILL_DISTANCE = 90.0
"""Metres beyond which contact shadows are too small to see."""
UPWARD_SHARE = 0.25
"""How much of the base light depends on how far a surface looks up."""
LEAF_LIGHT = 0.35
"""Share of the light that leaves let through to their dark side."""
PAINTERS = {
    Material.PAVING: paint_built.paving,
    Material.KERB: paint_built.kerb,
    Material.FACADE: paint_built.facade,
    Material.WALL: paint_built.wall,
    Material.PLAIN: paint_built.plain,
    Material.ROOF: paint_built.roof,
    Material.FOLIAGE: paint_nature.foliage,
    Material.BARK: paint_nature.bark,
    Material.WOOD: paint_built.wood,
    Material.METAL: paint_built.metal,
    Material.PAINT: paint_built.paint,
    Material.GLASS: paint_built.glass,
    Material.SIGN: paint_built.sign,
}


@dataclass(frozen=True)
class View:
    """What one camera sees; depth in metres along the optical axis, 0 = sky."""

    light: Float[np.ndarray, "h w 3"]
    depth: Float[np.ndarray, "h w"]
    instance: Int[np.ndarray, "h w"]
    kind: Int[np.ndarray, "h w"]


@dataclass(frozen=True)
class Look:
    """Everything that gives a drive its colours."""

    surfaces: SurfaceArrays
    ground: GroundPainter
    light: Light
    noise: Noise
    texture: float = 1.0
    """See `Spots.texture`."""


def render(
    caster: Raycaster,
    look: Look,
    camera_to_world: Float[np.ndarray, "4 4"],
    intrinsics: Float[np.ndarray, "3 3"],
    size: tuple[int, int],
    supersampling: int,
) -> View:
    """Colour from supersampling x supersampling rays per pixel; truth from the ray through the
    pixel's centre alone.
    """
    width, height = size
    n = supersampling
    fine = ((np.arange(n) + 0.5) / n - 0.5)[None, :]
    u = (np.arange(width)[:, None] + fine).reshape(-1)
    v = (np.arange(height)[:, None] + fine).reshape(-1)
    spread = 1 / (intrinsics[0, 0] * n)
    light = _colours(caster, look, camera_to_world, _rays(u, v, intrinsics), spread)
    light = light.reshape(height, n, width, n, 3).mean((1, 3))

    centre = _rays(np.arange(width) * 1.0, np.arange(height) * 1.0, intrinsics)
    origins, directions = _in_world(centre, camera_to_world)
    face, depth = caster.nearest(origins, directions)
    kind, instance = _labels(caster, look, origins, directions, face, depth)
    return View(
        light=light,
        depth=np.where(face == MISS, 0, depth).reshape(height, width).astype(np.float32),
        instance=instance.reshape(height, width),
        kind=kind.reshape(height, width),
    )


def depth_picture(
    caster: Raycaster,
    camera_to_world: Float[np.ndarray, "4 4"],
    intrinsics: Float[np.ndarray, "3 3"],
    size: tuple[int, int],
) -> Float[np.ndarray, "h w"]:
    """Depth through the pixels' centres alone; 0 = sky."""
    width, height = size
    rays = _rays(np.arange(width) * 1.0, np.arange(height) * 1.0, intrinsics)
    face, depth = caster.nearest(*_in_world(rays, camera_to_world))
    return np.where(face == MISS, 0, depth).reshape(height, width)


def _rays(
    u: Float[np.ndarray, "w"], v: Float[np.ndarray, "h"], intrinsics: Float[np.ndarray, "3 3"]
) -> Float[np.ndarray, "p 3"]:
    """K^-1 [u, v, 1]: directions whose length unit is depth."""
    x = (u - intrinsics[0, 2]) / intrinsics[0, 0]
    y = (v - intrinsics[1, 2]) / intrinsics[1, 1]
    rays = np.ones((len(v), len(u), 3))
    rays[..., 0], rays[..., 1] = x[None], y[:, None]
    return rays.reshape(-1, 3)


def _in_world(
    rays: Float[np.ndarray, "p 3"], camera_to_world: Float[np.ndarray, "4 4"]
) -> tuple[Float[np.ndarray, "p 3"], Float[np.ndarray, "p 3"]]:
    directions = turned(rays, camera_to_world[:3, :3])
    return np.broadcast_to(camera_to_world[:3, 3], directions.shape), directions


def _labels(
    caster: Raycaster,
    look: Look,
    origins: Float[np.ndarray, "p 3"],
    directions: Float[np.ndarray, "p 3"],
    face: Int[np.ndarray, "p"],
    depth: Float[np.ndarray, "p"],
) -> tuple[Int[np.ndarray, "p"], Int[np.ndarray, "p"]]:
    """Kind and object number at each ray's end; the ground is split into road and terrain."""
    kind = np.full(len(face), int(Kind.SKY))
    instance = np.zeros(len(face), np.int64)
    hit = np.flatnonzero(face != MISS)
    surface = caster.faces.surface[face[hit]]
    kind[hit] = look.surfaces.kind[surface]
    instance[hit] = caster.faces.instance[face[hit]]
    ground = hit[look.surfaces.material[surface] == Material.GROUND]
    points = origins[ground] + depth[ground, None] * directions[ground]
    kind[ground] = look.ground.kinds(points[:, 0], points[:, 1])
    return kind, instance


def _colours(
    caster: Raycaster,
    look: Look,
    camera_to_world: Float[np.ndarray, "4 4"],
    rays: Float[np.ndarray, "p 3"],
    spread: float,
) -> Float[np.ndarray, "p 3"]:
    origins, directions = _in_world(rays, camera_to_world)
    face, depth = caster.nearest(origins, directions)
    colour = np.empty((len(rays), 3), np.float32)
    length = np.linalg.norm(directions, axis=1)
    missed = np.flatnonzero(face == MISS)
    unit = directions[missed] / length[missed, None]
    colour[missed] = sky(unit, look.light, look.noise, spread)

    hit = np.flatnonzero(face != MISS)
    face, away = face[hit], depth[hit] * length[hit]
    points = origins[hit] + depth[hit, None] * directions[hit]
    normal = caster.faces.normal[face]
    slant = (normal * directions[hit]).sum(1) / length[hit]
    normal = np.where(slant[:, None] > 0, -normal, normal)
    # The patch under a ray is a long ellipse on a slanted surface; its geometric mean width.
    footprint = away * spread / np.sqrt(np.maximum(np.abs(slant), LEAST_SLANT))
    albedo = _albedo(caster, look, face, points, footprint)
    leafy = look.surfaces.material[caster.faces.surface[face]] == Material.FOLIAGE
    lit = albedo * _illumination(caster, look.light, points, normal, away, leafy)
    colour[hit] = veiled(lit, away, look.light)
    return colour


def _albedo(
    caster: Raycaster,
    look: Look,
    face: Int[np.ndarray, "p"],
    points: Float[np.ndarray, "p 3"],
    footprint: Float[np.ndarray, "p"],
) -> Float[np.ndarray, "p 3"]:
    """Every material's painter on the points that show it."""
    faces, surfaces = caster.faces, look.surfaces
    surface = faces.surface[face]
    material = surfaces.material[surface]
    offset = points - faces.corner[face]
    gradient = faces.uv_gradient[face]
    uv = faces.uv[face] + (gradient * offset[:, None]).sum(2) + surfaces.shift[surface]
    albedo = np.empty((len(face), 3), np.float32)
    for number in np.unique(material):
        chosen = np.flatnonzero(material == number)
        of = surface[chosen]
        spots = Spots(
            u=uv[chosen, 0],
            v=uv[chosen, 1],
            footprint=footprint[chosen],
            colour=surfaces.colour[of],
            accent=surfaces.accent[of],
            numbers=surfaces.numbers[of],
            texture=look.texture,
        )
        if number == Material.GROUND:
            albedo[chosen] = look.ground.paint(spots)
        else:
            albedo[chosen] = PAINTERS[Material(number)](spots, look.noise)
    return albedo


def _illumination(
    caster: Raycaster,
    light: Light,
    points: Float[np.ndarray, "p 3"],
    normal: Float[np.ndarray, "p 3"],
    away: Float[np.ndarray, "p"],
    leafy: np.ndarray,
) -> Float[np.ndarray, "p 3"]:
    """Lambert's law with a shadow ray to the sun and to each of the sky's fill directions."""
    start = points + SHADOW_OFFSET * normal
    sunny = _received(caster, start, normal, light.sun, SUN_REACH, leafy, np.inf, away)
    filled = np.zeros(len(points))
    for direction in light.fills:
        filled += _received(
            caster, start, normal, direction, FILL_REACH, leafy, FILL_DISTANCE, away
        )
    overhead = (1 - UPWARD_SHARE) + UPWARD_SHARE * normal[:, 2]
    ambient = BASE_LIGHT * overhead + FILL_LIGHT * filled * 2 / len(light.fills)
    total: Float[np.ndarray, "p 3"] = (
        sunny[:, None] * light.sun_colour + ambient[:, None] * light.sky_colour
    )
    return total


def _received(
    caster: Raycaster,
    start: Float[np.ndarray, "p 3"],
    normal: Float[np.ndarray, "p 3"],
    direction: Float[np.ndarray, "3"],
    reach: float,
    leafy: np.ndarray,
    traced_within: float,
    away: Float[np.ndarray, "p"],
) -> Float[np.ndarray, "p"]:
    """Cosine of incidence, 0 in shadow; leaves glow a little from behind."""
    cosine = (normal * direction).sum(1)
    facing = np.where(leafy, np.maximum(cosine, LEAF_LIGHT * np.abs(cosine)), cosine)
    received: Float[np.ndarray, "p"] = np.maximum(facing, 0)
    asked = np.flatnonzero((received > 0) & (away < traced_within))
    received[asked[caster.blocked(start[asked], direction, reach)]] = 0
    return received
