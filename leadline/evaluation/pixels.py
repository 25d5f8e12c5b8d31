"""The pixels of one image that are scored: masked, aligned and clamped."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Float64

from leadline.data.depth_resize import RESIZE_NEAREST, resized_depth
from leadline.evaluation.alignment import Alignment, median_ratio
from leadline.evaluation.protocol import Protocol


@dataclass(frozen=True)
class ScoredPixels:
    """The pixels of one image that a protocol scores, in metres."""

    prediction: Float64[np.ndarray, "p"]
    """Aligned and clamped."""
    truth: Float64[np.ndarray, "p"]
    unaligned: Float64[np.ndarray, "p"]
    """The prediction as it came."""
    missing: int
    """How many of them the prediction leaves out (0); they are scored at its lower clamp."""

    def ratio(self) -> float | None:
        """median(truth) / median(prediction) before any alignment; `None` where the prediction
        leaves out more than half.
        """
        try:
            return median_ratio(self.unaligned, self.truth)
        except ValueError:
            return None


def scored_pixels(
    prediction: Float[np.ndarray, "_ _"],
    truth: Float[np.ndarray, "h w"],
    protocol: Protocol,
    alignment: Alignment,
) -> ScoredPixels | None:
    """Resize, mask, align and clamp, in this order; `None` where the truth has no pixel to score.

    Raises:
        ValueError: too little is predicted to find the median that the alignment needs, or a pixel
            is infinitely far and the protocol has no cap.
    """
    mask = protocol.mask(truth)
    if not mask.any():
        return None
    height, width = truth.shape
    p = resized_depth(prediction, height, width, protocol.resize)[mask]
    g = truth[mask].astype(np.float64)
    clamped = protocol.clamp(p * alignment.scale(lambda: median_ratio(p, g)))
    if not np.isfinite(clamped).all():
        raise ValueError(
            f"expected finite depth under the protocol {protocol.name!r}, which has no cap, "
            "got an infinitely far pixel; choose a protocol with a cap"
        )
    missing = int(np.count_nonzero(p <= RESIZE_NEAREST))
    return ScoredPixels(clamped, g, p, missing)
