"""Painters of what grows: leaves and bark. Grass and fields belong to the ground."""

import numpy as np
from jaxtyping import Float

from leadline.data.synthetic.noise import Noise, doublings
from leadline.data.synthetic.painting import FINE, Spots, grainy, tinted

LEAF_SCALES = doublings(0.08, 2.56)
YELLOWING = np.array([0.35, 0.15, -0.1], np.float32)


def foliage(spots: Spots, noise: Noise) -> Float[np.ndarray, "p 3"]:
    """Leaves in light and shade: strong contrast at every visible scale."""
    light = np.clip(
        1 + 0.55 * noise.octaves(spots.u, spots.v, spots.footprint, LEAF_SCALES), 0.12, 3
    )
    hue = noise.value(spots.u / 0.7 + 11.3, spots.v / 0.7)
    return tinted(spots.colour, light) * (1 + hue[:, None] * YELLOWING)


def bark(spots: Spots, noise: Noise) -> Float[np.ndarray, "p 3"]:
    """Bark: furrows along the trunk and blotches."""
    furrows = noise.octaves(spots.u * 3, spots.v * 0.6, spots.footprint * 2, FINE)
    return tinted(spots.colour, np.clip(1 + 0.3 * furrows, 0.2, 2.5) * grainy(spots, noise, 0.1))
