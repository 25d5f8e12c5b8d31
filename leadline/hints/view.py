"""The hint of one view, as every way of making hints gives it."""

from dataclasses import dataclass

import cv2
import numpy as np
from jaxtyping import Float32, Int8, Int16, UInt8

Picture = UInt8[np.ndarray, "h w 3"]
NOTHING = -1
_LEFT_RIGHT = 1


@dataclass(frozen=True)
class ViewHint:
    """Disparity with its origin, and how well it explains the picture."""

    disparity: Int16[np.ndarray, "h w"]
    """Sixteenths of a pixel, 0 = missing."""
    choice: Int8[np.ndarray, "h w"]
    """Which of several ways it was found; `NOTHING` where it is missing."""
    error: Float32[np.ndarray, "h w"]
    """Photometric error of the other view sampled along the hint; of no meaning where it is
    missing."""
    identity: Float32[np.ndarray, "h w"]
    """That of the other view left where it is."""
    confidence: UInt8[np.ndarray, "h w"] | None = None
    """In 255ths; 0 where there is no hint, or one that no match has found. None: nobody knows."""

    def mirrored(self) -> "ViewHint":
        """That of the mirrored picture."""
        return ViewHint(
            in_mirror(self.disparity),
            in_mirror(self.choice),
            in_mirror(self.error),
            in_mirror(self.identity),
            None if self.confidence is None else in_mirror(self.confidence),
        )


def mirrored_pair(left: Picture, right: Picture) -> tuple[Picture, Picture]:
    """Both pictures in the mirror, in which the right view is a left one."""
    return in_mirror(right), in_mirror(left)


def in_mirror(picture: np.ndarray) -> np.ndarray:
    """A map or a picture, left to right."""
    return cv2.flip(picture, _LEFT_RIGHT)
