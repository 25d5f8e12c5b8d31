"""The blend of a prediction with that of the mirrored picture, [monodepth]."""

import numpy as np
from jaxtyping import Float

BORDER = 0.05  # share of the width taken from one prediction alone, [monodepth]
RAMP_PER_WIDTH = 20  # the ramp from 0 to 1 takes the next 1/20 of the width, [monodepth]


def blend_flipped(
    inverse_depth: Float[np.ndarray, "h w"], of_mirrored: Float[np.ndarray, "_ _"]
) -> Float[np.ndarray, "h w"]:
    """Inverse depth free of the shadow at the left of every object that stereo training leaves.

    With l the prediction, r that of the mirrored picture turned back, x in [0, 1] over the width
    and m_l = 1 - clip(20 (x - 0.05), 0, 1): out = m_r l + m_l r + (1 - m_l - m_r) (l + r) / 2, m_r
    the mirror of m_l [monodepth]. The left border comes from r, the right one from l, the rest is
    the mean. `of_mirrored` is as the network made it, still mirrored; both are at network
    resolution.

    Raises:
        ValueError: the shapes differ.
    """
    if inverse_depth.shape != of_mirrored.shape:
        raise ValueError(
            f"expected two predictions of one size, got {inverse_depth.shape} and "
            f"{of_mirrored.shape} for the mirrored picture"
        )
    turned_back = of_mirrored[:, ::-1]
    across = np.linspace(0, 1, inverse_depth.shape[1])
    left = 1 - np.clip(RAMP_PER_WIDTH * (across - BORDER), 0, 1)
    right = left[::-1]
    middle = (1 - left - right) * (inverse_depth + turned_back) / 2
    blended = right * inverse_depth + left * turned_back + middle
    return np.asarray(blended, dtype=inverse_depth.dtype)
