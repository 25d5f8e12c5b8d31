"""Unit quaternions as poses are written with them -> rotations."""

import math

import numpy as np
from jaxtyping import Float64

_LEAST_LENGTH = 1e-6
"""Of a quaternion that says a rotation."""


def quaternion_to_matrix(x: float, y: float, z: float, w: float) -> Float64[np.ndarray, "3 3"]:
    """The rotation of a quaternion with the real part w, whatever its length.

    Raises:
        ValueError: a few words: it has no length, or is not finite.
    """
    length = math.hypot(w, x, y, z)
    if not length > _LEAST_LENGTH or not math.isfinite(length):
        raise ValueError("no rotation")
    w, x, y, z = w / length, x / length, y / length, z / length
    return np.array(
        [
            [1 - 2 * (y * y + z * z), 2 * (x * y - z * w), 2 * (x * z + y * w)],
            [2 * (x * y + z * w), 1 - 2 * (x * x + z * z), 2 * (y * z - x * w)],
            [2 * (x * z - y * w), 2 * (y * z + x * w), 1 - 2 * (x * x + y * y)],
        ]
    )
