"""Colours changed as by another exposure: gamma, brightness and each colour, in batches."""

from dataclasses import dataclass, fields

import numpy as np
import torch
from jaxtyping import Float, Float64
from torch import Tensor

DRAWS = 5
"""Numbers that say how the colours of one item change."""


@dataclass(frozen=True)
class GammaJitter:
    """From where to where what `jitter: gamma` changes is drawn, evenly.

    The ranges of [monodepth] unless others are given; [bts] takes 0.9 to 1.1 for all three, and for
    brightness 0.75 to 1.25 indoors.

    Raises:
        ValueError: a range does not go from a positive number up.
    """

    gamma: tuple[float, float] = (0.8, 1.2)
    """Of the exponent of colours in [0, 1]."""
    brightness: tuple[float, float] = (0.5, 2.0)
    """Of the factor of all colours."""
    colour: tuple[float, float] = (0.8, 1.2)
    """Of the factors of red, green and blue, each drawn for itself."""

    def __post_init__(self) -> None:
        for field in fields(self):
            low, high = getattr(self, field.name)
            if not 0 < low <= high:
                raise ValueError(
                    f"gamma_jitter.{field.name}: expected a range [least, greatest] above 0, got "
                    f"[{low:g}, {high:g}]"
                )

    def scaled(self, shares: Float64[np.ndarray, "5"]) -> Float[Tensor, "5"]:
        """Gamma, brightness, red, green and blue at so large `shares`, in [0, 1], of the ranges."""
        ranges = np.array([self.gamma, self.brightness, *[self.colour] * 3])
        low, high = ranges.T
        return torch.from_numpy(low + shares * (high - low)).float()


PUBLISHED_RANGES = GammaJitter()
"""Of [monodepth]."""


def jitter_gamma(
    images: Float[Tensor, "b 3 h w"], factors: Float[Tensor, "b 5"]
) -> Float[Tensor, "b 3 h w"]:
    """clamp(I^gamma * brightness * colour_c, 0, 1) [monodepth], of images in [0, 1], with `factors`
    (gamma, brightness, red, green, blue) of each.

    Factors of 1 return an image as it is.
    """
    gamma, brightness, colour = factors[:, :, None, None].split([1, 1, 3], dim=1)
    changed: Tensor = images.pow(gamma) * (brightness * colour)
    return changed.clamp(0, 1)
