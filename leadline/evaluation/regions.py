"""Regions of a left image that exact disparity singles out: what the right view occludes."""

import numpy as np
from jaxtyping import Bool, Float

MOST_STRETCH = 2.0  # right pixels that one step on a surface may cover; above it the step is a gap


def occluded_in_right(disparity: Float[np.ndarray, "h w"]) -> Bool[np.ndarray, "h w"]:
    """Pixels of the left image that something nearer hides from the right camera.

    A pixel x lands on x' = x - disparity in the right image. It is occluded where a pixel further
    right in its row lands at x' or left of it (so it is nearer) and still reaches beyond x': up to
    where its right neighbour lands or, past the end of its surface, one pixel. That is a z-buffer
    with exact edges; the order of landing alone would also count what is seen past a thin pole on
    its other side. Disparity 0 is infinitely far. What leaves the right image is not occluded.
    """
    height, width = disparity.shape
    occluded = np.zeros((height, width), dtype=bool)
    landing = np.arange(width) - disparity.astype(np.float64)
    step = np.diff(landing, axis=1, append=landing[:, -1:] + 1)
    reach = landing + np.where((step > 0) & (step <= MOST_STRETCH), step, 1)
    # Whatever hides a pixel is nearer by at least as many pixels of disparity as it lies to the
    # right.
    farthest = min(int(np.ceil(disparity.max(initial=0))), width - 1)
    for shift in range(1, farthest + 1):
        here = landing[:, :-shift]
        occluded[:, :-shift] |= (landing[:, shift:] <= here) & (here < reach[:, shift:])
    return occluded
