"""Sun, sky and haze of one drive, and how they fall on surfaces."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from leadline.data.synthetic.noise import Noise, doublings
from leadline.data.synthetic.painting import mixed

SUN_ELEVATION = np.deg2rad([24.0, 60.0])
OVERCAST_SHARE = 0.25
FILL_ELEVATIONS = np.deg2rad([38.0, 52.0, 70.0])
FILL_REACH = 7.0
"""Metres within which things keep out skylight: contact shadows, dark corners."""
FILL_LIGHT = 0.5
BASE_LIGHT = 0.28
SUN_REACH = 150.0
HAZE = (350.0, 1500.0)
"""Metres after which a share 1 - 1/e of what one sees is haze."""
CLOUD_HEIGHT = 0.12
"""Keeps clouds finite at the horizon: added to the sine of the elevation."""
SUN_GLOW = 0.25
CLOUD_SCALES = doublings(0.06, 1.92)


@dataclass(frozen=True)
class Light:
    """Directions point towards the light; colours are linear."""

    sun: Float[np.ndarray, "3"]
    sun_colour: Float[np.ndarray, "3"]
    fills: Float[np.ndarray, "n 3"]
    """Directions that stand for the sky; skylight comes from these."""
    sky_colour: Float[np.ndarray, "3"]
    zenith: Float[np.ndarray, "3"]
    horizon: Float[np.ndarray, "3"]
    haze: float
    cloud_cover: float
    cloud_shift: Float[np.ndarray, "2"]


def make_light(random: np.random.Generator) -> Light:
    """The light of a drive: sunny mostly, sometimes overcast."""
    overcast = random.random() < OVERCAST_SHARE
    azimuth = random.uniform(0, 2 * np.pi)
    elevation = random.uniform(*SUN_ELEVATION)
    turns = azimuth + np.pi / 3 + 2 * np.pi * np.arange(len(FILL_ELEVATIONS)) / 3
    warm = random.uniform(0.0, 0.14)
    strength = random.uniform(0.15, 0.3) if overcast else random.uniform(1.1, 1.6)
    grey = random.uniform(0.75, 0.95)
    blue = np.array([0.20, 0.34, 0.62]) * random.uniform(0.8, 1.1)
    cloudy = np.full(3, 0.62)
    return Light(
        sun=_direction(azimuth, elevation),
        sun_colour=strength * np.array([1 + warm, 1, 1 - 1.5 * warm]),
        fills=np.stack([_direction(a, e) for a, e in zip(turns, FILL_ELEVATIONS, strict=True)]),
        sky_colour=(np.array([0.92, 0.97, 1.05]) * (0.85 if overcast else 0.5)),
        zenith=cloudy if overcast else blue,
        horizon=np.array([grey * 0.93, grey * 0.97, grey]),
        haze=random.uniform(*HAZE),
        cloud_cover=random.uniform(0.6, 0.9) if overcast else random.uniform(0.15, 0.55),
        cloud_shift=random.uniform(-50, 50, 2),
    )


def _direction(azimuth: float, elevation: float) -> Float[np.ndarray, "3"]:
    level = np.cos(elevation)
    return np.array([level * np.cos(azimuth), level * np.sin(azimuth), np.sin(elevation)])


def sky(
    directions: Float[np.ndarray, "p 3"], light: Light, noise: Noise, angle: float
) -> Float[np.ndarray, "p 3"]:
    """Colour of the sky in unit directions: a gradient with clouds, paler around the sun.

    `angle` is the width of one ray, radians.
    """
    rise = np.clip(directions[:, 2], 0, 1)
    colour = mixed(
        np.broadcast_to(light.horizon, directions.shape),
        np.broadcast_to(light.zenith, directions.shape),
        1 - np.exp(-3.5 * rise),
    )
    flat = directions[:, :2] / (rise + CLOUD_HEIGHT)[:, None] + light.cloud_shift
    spread = angle / (rise + CLOUD_HEIGHT) ** 2
    waves = noise.octaves(flat[:, 0], flat[:, 1], spread, CLOUD_SCALES)
    cover = np.clip(0.9 * (waves * 0.6 + 2 * light.cloud_cover - 0.75), 0, 1) * np.clip(
        rise * 8, 0, 1
    )
    white = light.horizon * 1.05
    shaded = white * (1 - 0.12 * np.clip(waves, -1, 1))[:, None]
    glow = np.clip((directions * light.sun).sum(1), 0, 1) ** 24
    shining = SUN_GLOW * glow[:, None] * light.sun_colour
    bright: Float[np.ndarray, "p 3"] = mixed(colour, shaded, cover) + shining
    return bright


def veiled(
    colour: Float[np.ndarray, "p 3"], distance: Float[np.ndarray, "p"], light: Light
) -> Float[np.ndarray, "p 3"]:
    """Colour seen through the haze of so many metres of air."""
    return mixed(
        colour, np.broadcast_to(light.horizon, colour.shape), 1 - np.exp(-distance / light.haze)
    )
