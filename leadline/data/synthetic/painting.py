"""What painters are given, and the touches that several of them share."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from leadline.data.synthetic.noise import Noise, doublings, visible_share

FINE = doublings(0.025, 6.4)
"""Wavelengths of rough surfaces, in metres: something to match from one metre to a hundred."""
PLAIN_TEXTURE = 0.05
"""`Spots.texture` of a plain world: fresh paint and new asphalt are even, but not like a screen."""


@dataclass(frozen=True)
class Spots:
    """Points to be painted: texture coordinates, the width of surface that each stands for, and
    the surface's own colours and numbers.
    """

    u: Float[np.ndarray, "p"]
    v: Float[np.ndarray, "p"]
    footprint: Float[np.ndarray, "p"]
    colour: Float[np.ndarray, "p 3"]
    accent: Float[np.ndarray, "p 3"]
    numbers: Float[np.ndarray, "p _"]
    texture: float = 1.0
    """Share left of the contrast of what roads are paved and houses are built with."""


def tinted(
    colour: Float[np.ndarray, "p 3"], brightness: Float[np.ndarray, "p"]
) -> Float[np.ndarray, "p 3"]:
    """The colour made brighter or darker by a factor."""
    result: Float[np.ndarray, "p 3"] = colour * brightness[:, None]
    return result


def mixed(
    under: Float[np.ndarray, "p 3"],
    over: Float[np.ndarray, "p 3"],
    share: Float[np.ndarray, "p"],
) -> Float[np.ndarray, "p 3"]:
    """`over` laid on `under` with a coverage in [0, 1]."""
    result: Float[np.ndarray, "p 3"] = under + (over - under) * share[:, None]
    return result


def grainy(
    spots: Spots, noise: Noise, contrast: float, wavelengths: tuple[float, ...] = FINE
) -> Float[np.ndarray, "p"]:
    """A factor about 1 that varies at every visible scale."""
    waves = noise.octaves(spots.u, spots.v, spots.footprint, wavelengths)
    return np.clip(1 + contrast * waves, 0.15, 2.5)


def cell_tone(
    spots: Spots, noise: Noise, width: Float[np.ndarray, "p"], height: Float[np.ndarray, "p"]
) -> Float[np.ndarray, "p"]:
    """A number in [-1, 1] for each brick, slab or tile, 0 where they are too small to see.

    Rows are laid in bond: every other one is shifted by half a width.
    """
    row = np.floor(spots.v / height)
    column = np.floor(spots.u / width + 0.5 * (row % 2))
    tone = noise.cell(column.astype(np.int64), row.astype(np.int64))
    faded: Float[np.ndarray, "p"] = tone * visible_share(np.minimum(width, height), spots.footprint)
    return faded
