"""Features of two pictures matched with each other, wherever they lie: nothing is assumed of rows.

SIFT finds them [sift]: it places features to a fraction of a pixel, where faster detectors stop at
whole ones. A match must be mutual, and clearly nearer than the second best, which is what discards
most of the fences and windows that repeat themselves.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from jaxtyping import Float32, UInt8

MOST_FEATURES = 1500
"""Of a picture: the strongest."""
NEAREST_TO_SECOND = 0.75
"""Largest ratio of the distances to the best and to the second best descriptor [sift]."""


@dataclass(frozen=True)
class Matches:
    """Places (x, y) of the same features in two pictures, in pixels."""

    left: Float32[np.ndarray, "n 2"]
    right: Float32[np.ndarray, "n 2"]
    features: int
    """Found in the poorer of the two pictures, matched or not."""

    def __len__(self) -> int:
        return len(self.left)

    @classmethod
    def pooled(cls, several: Sequence["Matches"]) -> "Matches":
        """Those of several pairs, as if of one."""
        empty = np.zeros((0, 2), np.float32)
        return cls(
            np.concatenate([empty, *(matches.left for matches in several)]),
            np.concatenate([empty, *(matches.right for matches in several)]),
            sum(matches.features for matches in several),
        )


def match_features(left: UInt8[np.ndarray, "h w 3"], right: UInt8[np.ndarray, "h w 3"]) -> Matches:
    """The features that two pictures share."""
    (left_places, left_kinds), (right_places, right_kinds) = _features(left), _features(right)
    found = min(len(left_places), len(right_places))
    if found < 2:
        return Matches.pooled(())
    chosen, partner = _mutual(_distances(left_kinds, right_kinds))
    return Matches(left_places[chosen], right_places[partner], found)


def _features(
    picture: UInt8[np.ndarray, "h w 3"],
) -> tuple[Float32[np.ndarray, "n 2"], Float32[np.ndarray, "n k"]]:
    detector = cv2.SIFT.create(MOST_FEATURES)
    grey = cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY)
    points, descriptors = detector.detectAndCompute(grey, None)
    if descriptors is None:
        return np.zeros((0, 2), np.float32), np.zeros((0, 1), np.float32)
    return np.array([point.pt for point in points], np.float32), descriptors


def _distances(
    first: Float32[np.ndarray, "n k"], second: Float32[np.ndarray, "s k"]
) -> Float32[np.ndarray, "n s"]:
    """Squared distances of all pairs of descriptors; whole numbers below 2^24, hence exact."""
    squares = (first**2).sum(1)[:, None] + (second**2).sum(1)[None]
    return np.asarray(squares - 2 * (first @ second.T))


def _mutual(distances: Float32[np.ndarray, "n s"]) -> tuple[np.ndarray, np.ndarray]:
    best = distances.argmin(1)
    rows = np.arange(len(distances))
    nearest, second = np.partition(distances, 1, axis=1)[:, :2].T
    mutual = distances.argmin(0)[best] == rows
    clear = nearest < NEAREST_TO_SECOND**2 * second
    chosen = np.flatnonzero(mutual & clear)
    return chosen, best[chosen]
