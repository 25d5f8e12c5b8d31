"""Which pixels of an image are scored, and within which depths: the named protocols.

A protocol also names the truth it is defined on: the `eigen` ones LiDAR sweeps, read with their
historical rounding and forward distance, as their crops keep theirs; `improved` KITTI's accumulated
maps. `dense` is for exact truth: every pixel up to 80 m. See `Source.true_depth`.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace

import cv2
import numpy as np
from jaxtyping import Bool, Float, Float64

from leadline.data.sources.base import WantedTruth
from leadline.data.sparse import resize_nearest
from leadline.metrics.crop import EIGEN, GARG, Crop

METRES_NEAREST = 1e-3  # the classic lower bound of truth and prediction alike
RESIZE_NEAREST = 1e-6  # metres; keeps the inverse of a missing prediction (0) finite


@dataclass(frozen=True, slots=True)
class Protocol:
    """A crop, the depths of truth that count, and the range to which predictions are clamped."""

    name: str
    crop: Crop | None
    minimum: float
    """Truth counts above it, metres."""
    cap: float | None
    """Truth counts below it, metres; `None` counts all."""
    prediction_cap: float | None
    """Predictions are clamped to it, metres, and to no less than a millimetre."""
    truth: WantedTruth = "any"
    """What is looked for in a data set; depth maps in a folder are taken as they are."""

    def mask(self, truth: Float[np.ndarray, "h w"]) -> Bool[np.ndarray, "h w"]:
        """The pixels of the truth (0 = none) that are scored."""
        scored = np.asarray((truth > self.minimum) & np.isfinite(truth))
        if self.cap is not None:
            scored &= truth < self.cap
        if self.crop is not None:
            height, width = truth.shape
            top, bottom, left, right = self.crop.bounds(height, width)
            inside = np.zeros_like(scored)
            inside[top:bottom, left:right] = True
            scored &= inside
        return scored

    def clamp(self, prediction: Float[np.ndarray, "p"]) -> Float[np.ndarray, "p"]:
        """Scored predictions inside the protocol's range."""
        return np.asarray(np.clip(prediction, METRES_NEAREST, self.prediction_cap))

    def describe(self) -> str:
        """One line that says what is scored.

        >>> PROTOCOLS["eigen"].describe()
        'eigen: Garg crop, truth 0.001 to 80 m, predictions clamped to 0.001..80 m'
        """
        crop = f"{self.crop.name} crop" if self.crop else "no crop"
        truth = f"truth {self.minimum:g} to {self.cap:g} m" if self.cap else "all valid truth"
        limit = f"..{self.prediction_cap:g} m" if self.prediction_cap else " m or more"
        clamp = f"predictions clamped to {METRES_NEAREST:g}{limit}"
        return f"{self.name}: {crop}, {truth}, {clamp}"


_EIGEN_80 = Protocol("eigen", GARG, METRES_NEAREST, cap=80, prediction_cap=80, truth="eigen")

PROTOCOLS: Mapping[str, Protocol] = {
    protocol.name: protocol
    for protocol in (
        _EIGEN_80,
        replace(_EIGEN_80, name="eigen_50", cap=50, prediction_cap=50),
        replace(_EIGEN_80, name="eigen_own_crop", crop=EIGEN),
        Protocol("dense", None, METRES_NEAREST, cap=80, prediction_cap=80),
        Protocol("improved", None, 0, cap=None, prediction_cap=80, truth="improved"),
        Protocol("none", None, 0, cap=None, prediction_cap=None),
    )
}


def named_protocol(name: str) -> Protocol:
    """The protocol of that name.

    Raises:
        ValueError: there is none.
    """
    if name not in PROTOCOLS:
        raise ValueError(f"protocol: expected one of {', '.join(PROTOCOLS)}, got {name!r}")
    return PROTOCOLS[name]


def resized_depth(
    prediction: Float[np.ndarray, "_ _"], height: int, width: int
) -> Float64[np.ndarray, "h w"]:
    """A predicted depth at another size, interpolated bilinearly as inverse depth.

    Half-pixel centres and no smoothing before shrinking: what OpenCV's bilinear resize does, and
    with it every published figure of the classic protocol. Beside a missing pixel (0) nothing is
    interpolated: there the pixel below the new one's centre is taken, present or missing.
    """
    depth = prediction.astype(np.float64)
    if depth.shape == (height, width):
        return depth
    inverse_depth = 1 / np.maximum(depth, RESIZE_NEAREST)
    resized = _bilinear(inverse_depth, height, width)
    # An infinitely far pixel has the inverse depth 0, and is infinitely far again.
    with np.errstate(divide="ignore"):
        between = 1 / resized
    missing = depth == 0
    if not missing.any():
        return between
    beside_missing = _bilinear(missing.astype(np.float64), height, width) > 0
    return np.where(beside_missing, resize_nearest(depth, (height, width)), between)


def _bilinear(
    values: Float64[np.ndarray, "_ _"], height: int, width: int
) -> Float64[np.ndarray, "h w"]:
    resized = cv2.resize(values, (width, height), interpolation=cv2.INTER_LINEAR)
    return np.asarray(resized, dtype=np.float64)
