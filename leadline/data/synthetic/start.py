"""Where along its road a drive starts: at a place from which guessing depth is hard.

A world in which a constant, or a number per image row, is nearly right teaches a network nothing
and cannot tell a network that looks at the picture from one that does not.
"""

from collections.abc import Callable, Sequence

import numpy as np
from jaxtyping import Float

from leadline.metrics import least_abs_rel
from leadline.metrics.crop import GARG

CAP = 80.0
"""Metres beyond which truth is not judged, as in the Eigen protocol."""
WANTED_CONSTANT = 0.44
WANTED_ROW = 0.28
"""Relative errors of the best guesses with which a place is accepted: above the 0.376 and 0.231 of
a KITTI drive, with room for what a coarse look over a few frames gets wrong.
"""
STARTS = np.arange(0.0, 54.0, 6.0)
"""Metres along the road."""


def errors_of_guessing(depths: Float[np.ndarray, "n h w"]) -> tuple[float, float]:
    """Mean relative error of the best constant, and of the best number per row, over pictures of
    one drive, within the Garg crop and the cap; 0 = sky.
    """
    height, width = depths.shape[1:]
    top, bottom, left, right = GARG.bounds(height, width)
    crop = depths[:, top:bottom, left:right]
    judged = (crop > 0) & (crop < CAP)
    truth = np.where(judged, crop, 1.0)
    constant = least_abs_rel(crop[judged])
    per_row = np.array(
        [
            least_abs_rel(crop[:, row][judged[:, row]]) if judged[:, row].any() else CAP
            for row in range(crop.shape[1])
        ]
    )
    by_constant = (np.abs(truth - constant) / truth)[judged]
    by_row = (np.abs(truth - per_row[None, :, None]) / truth)[judged]
    return float(by_constant.mean()), float(by_row.mean())


def hard_start(
    seen_from: Callable[[float], Float[np.ndarray, "n h w"]],
    starts: Sequence[float] | Float[np.ndarray, "k"] = STARTS,
) -> float:
    """The first start whose pictures are hard to guess, else the hardest. `seen_from` gives the
    depth pictures of a drive that starts at so many metres.
    """
    hardest, place = -1.0, float(starts[0])
    for start in starts:
        constant, per_row = errors_of_guessing(seen_from(float(start)))
        hardness = min(constant / WANTED_CONSTANT, per_row / WANTED_ROW)
        if hardness >= 1:
            return float(start)
        if hardness > hardest:
            hardest, place = hardness, float(start)
    return place
