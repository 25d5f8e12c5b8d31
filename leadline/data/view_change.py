"""How a camera turned between two of its pictures, and how much of what moved then is parallax.

A turn moves every pixel by its place alone, whatever the depth, and teaches none; what remains of
the motion after the turn is taken away is parallax, from which depth is learnt.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from jaxtyping import Float32, Float64, UInt8

MOST_POINTS = 600
LARGEST_RATIO = 0.8
"""Of the distances to the most similar point of the other picture and to the next [sift]."""
FEWEST_MATCHES = 30
"""That agree on one motion: fewer may do so by chance."""
CONFIDENCE, TOLERANCE = 0.999, 0.5
"""Of the search for the motion on which most agree; pixels that a match may be off."""


@dataclass(frozen=True, eq=False)
class Points:
    """Points of one picture that can be found again in another."""

    pixels: Float64[np.ndarray, "n 2"]
    """x, y."""
    descriptors: Float32[np.ndarray, "n 128"]


@dataclass(frozen=True, eq=False)
class ViewChange:
    """From one picture of a camera to another one."""

    turn: Float64[np.ndarray, "3 3"]
    """R of X_second = R X_first + t."""
    parallax: float
    """Pixels of the first picture by which the middle one of all matches moves beside the turn."""


def points_of(picture: UInt8[np.ndarray, "h w"]) -> Points:
    """Of a grey picture."""
    found, descriptors = cv2.SIFT.create(MOST_POINTS).detectAndCompute(picture, None)
    if descriptors is None:
        return Points(np.zeros((0, 2)), np.zeros((0, 128), np.float32))
    pixels = np.array([point.pt for point in found], np.float64)
    return Points(pixels, np.asarray(descriptors, np.float32))


def view_change(
    first: Points,
    second: Points,
    intrinsics: Sequence[Float64[np.ndarray, "3 3"]],
    turn: Float64[np.ndarray, "3 3"] | None = None,
) -> ViewChange | None:
    """What the matches between two pictures say, or None where too few agree on one motion.

    That is the essential matrix on which most of them agree. It leaves two turns, half a turn about
    the way travelled apart, of which the smaller is taken: one of them is over a quarter of a turn,
    and no two neighbours of a video look so far apart. With `turn`, which a data set may know, the
    pictures are asked for the parallax only.
    """
    a, b = _matched(first, second)
    if len(a) < FEWEST_MATCHES:
        return None
    camera, other = intrinsics
    # The second picture's pixels as the first camera would have them: one camera for both.
    b = _moved(b, camera @ np.linalg.inv(other))
    essential, agree = cv2.findEssentialMat(a, b, camera, cv2.USAC_MAGSAC, CONFIDENCE, TOLERANCE)
    if essential is None or essential.shape != (3, 3) or agree.sum() < FEWEST_MATCHES:
        return None
    kept = agree[:, 0] > 0
    if turn is None:
        # The trace of a rotation falls with its angle.
        turn = np.asarray(max(cv2.decomposeEssentialMat(essential)[:2], key=np.trace))
    return ViewChange(turn, _parallax(a[kept], b[kept], camera, turn))


def _matched(
    first: Points, second: Points
) -> tuple[Float64[np.ndarray, "m 2"], Float64[np.ndarray, "m 2"]]:
    """Pixels of the same things in both pictures, mostly."""
    if min(len(first.pixels), len(second.pixels)) < FEWEST_MATCHES:
        return np.zeros((0, 2)), np.zeros((0, 2))
    candidates = cv2.BFMatcher().knnMatch(first.descriptors, second.descriptors, k=2)
    good = [one for one, other in candidates if one.distance < LARGEST_RATIO * other.distance]
    here, there = [m.queryIdx for m in good], [m.trainIdx for m in good]
    return first.pixels[here], second.pixels[there]


def _moved(
    pixels: Float64[np.ndarray, "n 2"], homography: Float64[np.ndarray, "3 3"]
) -> Float64[np.ndarray, "n 2"]:
    moved = np.c_[pixels, np.ones(len(pixels))] @ homography.T
    return np.asarray(moved[:, :2] / moved[:, 2:])


def _parallax(
    here: Float64[np.ndarray, "n 2"],
    there: Float64[np.ndarray, "n 2"],
    camera: Float64[np.ndarray, "3 3"],
    turn: Float64[np.ndarray, "3 3"],
) -> float:
    back = _moved(there, camera @ turn.T @ np.linalg.inv(camera))
    return float(np.median(np.linalg.norm(back - here, axis=1)))
