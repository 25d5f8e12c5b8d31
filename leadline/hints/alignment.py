"""How far corresponding rows of two pictures lie apart, from features that they share.

The right picture's rows are off by dy = offset + roll (x - cx) + stretch (y - cy): what a shift, a
turn about the optical axis and another focal length do. What a rig does beyond (lens distortion,
exposures at different times, cameras at different heights) shows in the spread about that plane.
"""

import math
from dataclasses import dataclass
from typing import Literal

import numpy as np
from jaxtyping import Float

from leadline.hints.features import Matches

Part = Literal["offset", "roll", "stretch"]
LEAST_MATCHES = 40
"""To fit three numbers with wrong matches among them."""
LEAST_SHARE = 0.05
"""Of the features that are matched: noise and pictures of different places share 2 % and less, the
pairs of a rig 20 % and more (benchmarks/rig_check.md)."""
CLEAR_SHIFT = 1.0
"""Pixels of disparity from which its sign counts."""
STILL = 0.5
"""Pixels, below which a feature has not moved."""

_STEPS = 30  # of the robust fit, which changes by less than 0.001 px in the last ten
_LEAST_RESIDUAL = 0.01  # pixels, keeps its weights finite
_NORMAL = 1.4826  # standard deviations per median absolute deviation, of a normal distribution
_OUTLIER = 3  # standard deviations
_UNIFORM_VARIANCE = 1 / 12  # of a place drawn from a side of length 1


@dataclass(frozen=True)
class Alignment:
    """How the right picture lies against the left one; pixels are those of the size matched at."""

    matches: int
    offset: float
    """Pixels in the middle of the picture; positive: the right picture's content lies lower."""
    tilt: float
    """Pixels by which dy grows from the left border to the right one."""
    growth: float
    """Pixels by which dy grows from the top border to the bottom one."""
    roll: float
    """`tilt` as degrees in the pictures as they were taken; positive: the right one is turned
    clockwise."""
    stretch: float
    """`growth` as the share by which the right picture is higher than the left one."""
    spread: float
    """Of matches about the fit, pixels: standard deviation, robust."""
    sided: int
    """Matches with a clear disparity, of either sign."""
    wrong_side: float
    """Share of those that lie to the right in the right picture: negative disparity."""
    still: float
    """Share of matches that lie at the same place in both pictures."""

    @property
    def parts(self) -> dict[Part, float]:
        """What each of the three adds to dy: root mean square over the whole picture, pixels."""
        return {
            "offset": abs(self.offset),
            "roll": math.sqrt(_UNIFORM_VARIANCE) * abs(self.tilt),
            "stretch": math.sqrt(_UNIFORM_VARIANCE) * abs(self.growth),
        }

    @property
    def rows(self) -> float:
        """Root mean square of dy over the whole picture, pixels."""
        return math.hypot(*self.parts.values())


def align(matches: Matches, size: tuple[int, int], aspect: float = 1.0) -> Alignment | None:
    """Fit the rows of a pair, or of several of one rig; None: too few matches to tell.

    `size` is (h, w) of the pictures; `aspect` the height over the width, as they were taken, of
    what is a square pixel in them.
    """
    if len(matches) < max(LEAST_MATCHES, LEAST_SHARE * matches.features):
        return None
    height, width = size
    middle = np.array([width - 1, height - 1]) / 2
    across, down = ((matches.left + matches.right) / 2 - middle).T
    disparity = (matches.left - matches.right)[:, 0]
    drop = (matches.right - matches.left)[:, 1]
    terms = np.stack([np.ones_like(across), across / width, down / height], axis=1)
    fit, spread = _robust_fit(terms.astype(np.float64), drop.astype(np.float64))
    offset, tilt, growth = fit.tolist()
    fitting = np.abs(drop - terms @ fit) <= max(_OUTLIER * spread, STILL)
    sided = np.abs(disparity[fitting]) > CLEAR_SHIFT
    return Alignment(
        matches=len(matches),
        offset=offset,
        tilt=tilt,
        growth=growth,
        roll=math.degrees(math.atan(tilt / width * aspect)),
        stretch=growth / height,
        spread=spread,
        sided=int(sided.sum()),
        wrong_side=float((disparity[fitting][sided] < 0).mean()) if sided.any() else 0.0,
        still=float(np.mean((np.abs(disparity) < STILL) & (np.abs(drop) < STILL))),
    )


def _robust_fit(
    terms: Float[np.ndarray, "n k"], values: Float[np.ndarray, "n"]
) -> tuple[Float[np.ndarray, "k"], float]:
    """Least absolute residuals, then least squares without outliers; and the robust spread."""
    fit = np.zeros(terms.shape[1])
    weights = np.ones(len(values))
    for _ in range(_STEPS):
        fit = _least_squares(terms, values, weights)
        weights = 1 / np.maximum(np.abs(values - terms @ fit), _LEAST_RESIDUAL)
    spread = _spread(values - terms @ fit)
    near = np.abs(values - terms @ fit) <= max(_OUTLIER * spread, _LEAST_RESIDUAL)
    fit = _least_squares(terms, values, near.astype(np.float64))
    return fit, _spread(values - terms @ fit)


def _least_squares(
    terms: Float[np.ndarray, "n k"], values: Float[np.ndarray, "n"], weights: Float[np.ndarray, "n"]
) -> Float[np.ndarray, "k"]:
    # Features that all lie on one line leave a slope open; the pseudo-inverse makes it 0.
    weighted = terms * weights[:, None]
    return np.asarray(np.linalg.pinv(weighted.T @ terms) @ (weighted.T @ values))


def _spread(residuals: Float[np.ndarray, "n"]) -> float:
    return _NORMAL * float(np.median(np.abs(residuals)))
