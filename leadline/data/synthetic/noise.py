"""Noise and patterns that fade before they alias: the alphabet of all procedural textures.

Every function takes a `footprint`, the width in metres of the patch of surface that one ray stands
for, and leaves out what is finer than it.
"""

from collections.abc import Sequence

import numpy as np
from jaxtyping import Float, Int

TABLE = 256
"""Side of the table of random values, a power of two; noise repeats after so many wavelengths."""
FULL_CONTRAST = 3.0
"""Footprints per wavelength from which on a wave is drawn with its full contrast."""


def visible_share(
    wavelength: float | Float[np.ndarray, "p"], footprint: Float[np.ndarray, "p"]
) -> Float[np.ndarray, "p"]:
    """Contrast left of a wave: 0 where it is no longer than the footprint, 1 from three on."""
    return np.clip((wavelength / footprint - 1) / (FULL_CONTRAST - 1), 0, 1)


def stripes(
    x: Float[np.ndarray, "p"],
    period: float | Float[np.ndarray, "p"],
    width: float | Float[np.ndarray, "p"],
    footprint: Float[np.ndarray, "p"],
) -> Float[np.ndarray, "p"]:
    """Share of the footprint about x covered by stripes [k period, k period + width]: an exact box
    filter, so that distant stripes turn into their mean grey.
    """

    def covered_up_to(position: Float[np.ndarray, "p"]) -> Float[np.ndarray, "p"]:
        turns = np.floor(position / period)
        length: Float[np.ndarray, "p"] = turns * width + np.minimum(
            position - turns * period, width
        )
        return length

    half = footprint / 2
    share: Float[np.ndarray, "p"] = (covered_up_to(x + half) - covered_up_to(x - half)) / footprint
    return share


def band(
    x: Float[np.ndarray, "p"],
    low: float | Float[np.ndarray, "p"],
    high: float | Float[np.ndarray, "p"],
    footprint: Float[np.ndarray, "p"],
) -> Float[np.ndarray, "p"]:
    """Share of the footprint about x that lies in [low, high]."""
    half = footprint / 2
    inside = np.minimum(x + half, high) - np.maximum(x - half, low)
    share: Float[np.ndarray, "p"] = np.clip(inside, 0, None) / footprint
    return share


class Noise:
    """Value noise from a table of random numbers in [-1, 1]."""

    def __init__(self, random: np.random.Generator) -> None:
        self._table = random.uniform(-1, 1, TABLE * TABLE).astype(np.float32)

    def cell(self, i: Int[np.ndarray, "p"], j: Int[np.ndarray, "p"]) -> Float[np.ndarray, "p"]:
        """The random number of a cell of an integer grid."""
        numbers: Float[np.ndarray, "p"] = self._table[(i & (TABLE - 1)) * TABLE + (j & (TABLE - 1))]
        return numbers

    def value(self, u: Float[np.ndarray, "p"], v: Float[np.ndarray, "p"]) -> Float[np.ndarray, "p"]:
        """Smooth noise in [-1, 1] with one random value per unit cell."""
        low_u, low_v = np.floor(u), np.floor(v)
        i, j = low_u.astype(np.int32), low_v.astype(np.int32)
        a, b = (u - low_u).astype(np.float32), (v - low_v).astype(np.float32)
        a, b = a * a * (3 - 2 * a), b * b * (3 - 2 * b)
        near, far = (i & (TABLE - 1)) * TABLE, ((i + 1) & (TABLE - 1)) * TABLE
        left, right = j & (TABLE - 1), (j + 1) & (TABLE - 1)
        table = self._table
        start = table[near + left] * (1 - b) + table[near + right] * b
        end = table[far + left] * (1 - b) + table[far + right] * b
        smooth: Float[np.ndarray, "p"] = start * (1 - a) + end * a
        return smooth

    def octaves(
        self,
        u: Float[np.ndarray, "p"],
        v: Float[np.ndarray, "p"],
        footprint: Float[np.ndarray, "p"],
        wavelengths: Sequence[float],
    ) -> Float[np.ndarray, "p"]:
        """Sum of value noise of the given wavelengths (metres), each with contrast 1 until its
        wavelength nears the footprint.
        """
        total = np.zeros(len(u), np.float32)
        for number, wavelength in enumerate(wavelengths):
            share = visible_share(wavelength, footprint).astype(np.float32)
            seen = np.flatnonzero(share)
            if len(seen) == 0:
                continue
            shift = 37.3 * number  # octaves of one table must not line up at the origin
            wave = self.value(u[seen] / wavelength + shift, v[seen] / wavelength - shift)
            total[seen] += share[seen] * wave
        return total


def doublings(shortest: float, longest: float) -> tuple[float, ...]:
    """Wavelengths from `shortest`, each twice the last, up to `longest`.

    >>> doublings(0.25, 1.0)
    (0.25, 0.5, 1.0)
    """
    count = int(np.log2(longest / shortest) + 1e-9) + 1
    return tuple(shortest * 2**number for number in range(count))
