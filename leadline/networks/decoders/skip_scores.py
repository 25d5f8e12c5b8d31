"""A sum of what each map of a pyramid says of one quantity, from coarse to fine."""

from collections.abc import Sequence
from typing import cast

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional

from leadline.networks.heads import apply_in_full_precision

FIRST_SCALES = (1e-6, 1e-5, 1e-4, 0.01)
"""With which the finer maps begin to count, from fine to coarse."""


class SkipScores(nn.Module):
    """Five maps at strides 2 to 32 -> their sum at the size of the image [garg], [dfr].

    Each says its part by a 1x1 convolution. From the coarsest on: enlarge bilinearly by two, twice
    the value, add what the next finer map says, which is first multiplied by a learnt scale.

    Weights start at 0, so that the sum is the same for all pixels: a random one may lie where what
    follows has no gradient.

    Args:
        channels: of the maps, from fine to coarse.
        first_bias: what the coarsest says at first.
        doubles_last: whether the last enlarging doubles the value as well.

    Raises:
        ValueError: there are not five maps.
    """

    def __init__(
        self, channels: Sequence[int], first_bias: float = 0.0, doubles_last: bool = True
    ) -> None:
        super().__init__()
        if len(channels) != len(FIRST_SCALES) + 1:
            raise ValueError(
                f"scores: expected maps at strides 2 to 32, as of a ResNet, got {len(channels)}"
            )
        self.says = nn.ModuleList(nn.Conv2d(width, 1, 1) for width in channels)
        for layer in self.says:
            nn.init.zeros_(cast(Tensor, layer.weight))
            nn.init.zeros_(cast(Tensor, layer.bias))
        nn.init.constant_(cast(Tensor, self.says[-1].bias), first_bias)
        self.scales = nn.Parameter(torch.tensor(FIRST_SCALES))
        self.doubles_last = doubles_last

    def forward(
        self, maps: Sequence[Float[Tensor, "b _ _ _"]], size: tuple[int, int]
    ) -> Float[Tensor, "b 1 h w"]:
        """`size` (h, w) is that of the image. In full precision: a scale of a millionth would be
        rounded away in half.
        """
        *finer, coarsest = maps
        *others, first = self.says
        total = apply_in_full_precision(first, coarsest)
        for seen, layer, scale in zip(
            reversed(finer), reversed(others), self.scales.flip(0), strict=True
        ):
            said = apply_in_full_precision(layer, seen.float() * scale)
            total = 2 * _enlarged(total, (said.shape[-2], said.shape[-1])) + said
        return (2 if self.doubles_last else 1) * _enlarged(total, size)


def _enlarged(values: Float[Tensor, "b 1 _ _"], size: tuple[int, int]) -> Float[Tensor, "b 1 _ _"]:
    whole = functional.interpolate(values, scale_factor=2.0, mode="bilinear", align_corners=False)
    return whole[..., : size[0], : size[1]]
