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


def matrix_to_quaternion(rotation: Float64[np.ndarray, "3 3"]) -> Float64[np.ndarray, "4"]:
    """(x, y, z, w) of length 1, with w not negative.

    Each of the four squares is a sum of the diagonal; the largest is divided by, so that nothing
    small is.
    """
    r = rotation
    trace = float(np.trace(r))
    squares = 1 + np.array([2 * r[0, 0] - trace, 2 * r[1, 1] - trace, 2 * r[2, 2] - trace, trace])
    products = np.array(
        [
            [squares[0], r[1, 0] + r[0, 1], r[0, 2] + r[2, 0], r[2, 1] - r[1, 2]],
            [r[1, 0] + r[0, 1], squares[1], r[2, 1] + r[1, 2], r[0, 2] - r[2, 0]],
            [r[0, 2] + r[2, 0], r[2, 1] + r[1, 2], squares[2], r[1, 0] - r[0, 1]],
            [r[2, 1] - r[1, 2], r[0, 2] - r[2, 0], r[1, 0] - r[0, 1], squares[3]],
        ]
    )
    found = products[int(squares.argmax())]
    quaternion: Float64[np.ndarray, "4"] = found / np.linalg.norm(found)
    return -quaternion if quaternion[3] < 0 else quaternion
