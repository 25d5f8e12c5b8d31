"""The depth decoder of FeatDepth: chained residual pooling, from the coarsest map down to half the
size of the image.
"""

from collections.abc import Mapping, Sequence
from typing import cast

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional

from leadline.networks.heads import apply_in_full_precision

WIDTH = 256
COARSEST_WIDTH = 512
"""Channels to which the maps of the encoder are reduced [featdepth]."""
POOLINGS, POOLING = 4, 5
"""Poolings in a chain, and pixels along the side of their windows."""
SLOPE = 0.01
"""Of the leaky ReLU below 0."""
DROPOUT = 0.5
"""Of the two coarsest maps."""
DROPPED = 2
STRIDES = (4, 8, 16, 32)
"""Of the maps that are read: the finest one of a ResNet is not."""


class ChainedResidualPooling(nn.Module):
    """x + p_1(x) + p_2(p_1(x)) + ..., each p a maximum over 5x5 pixels and a 1x1 convolution: what
    each pixel hears from ever farther away, at one size.
    """

    def __init__(self, width: int) -> None:
        super().__init__()
        self.projections = nn.ModuleList(
            nn.Conv2d(width, width, 1, bias=False) for _ in range(POOLINGS)
        )

    def forward(self, x: Float[Tensor, "b c h w"]) -> Float[Tensor, "b c h w"]:
        total = pooled = x
        for projection in self.projections:
            pooled = projection(
                functional.max_pool2d(pooled, POOLING, stride=1, padding=POOLING // 2)
            )
            total = total + pooled
        return total


class _Stage(nn.Module):
    """One level: reduce the encoder's map, join what came from the coarser level, pool, enlarge."""

    def __init__(self, inputs: int, reduced: int, joined: int) -> None:
        super().__init__()
        self.reduce = nn.Conv2d(inputs, reduced, 1, bias=False)
        self.join = _convolution(reduced + joined, WIDTH)
        self.pool = ChainedResidualPooling(WIDTH)
        self.merge = _convolution(WIDTH, WIDTH)
        self.head = _convolution(WIDTH, 1)

    def forward(
        self, skip: Float[Tensor, "b _ h w"], coarser: Sequence[Float[Tensor, "b _ h w"]]
    ) -> Float[Tensor, "b c _ _"]:
        x = functional.leaky_relu(self.join(torch.cat([self.reduce(skip), *coarser], 1)), SLOPE)
        x = functional.leaky_relu(self.merge(self.pool(x)), SLOPE)
        return functional.interpolate(x, scale_factor=2.0, mode="nearest")


class ResidualPoolingDecoder(nn.Module):
    """Maps at strides 4, 8, 16, 32 -> logits of depth at scales 1, 2, 3, 4 [featdepth].

    Level k, from 4 to 1: 1x1 reduction of the encoder's map, joined with the level above and the
    sigmoid of its logits, 3x3 convolution, chained residual pooling, 3x3 convolution, nearest
    enlarging by two, 3x3 head. As each map is enlarged before its head speaks, the finest logits
    stand at half the size of the image.

    Args:
        strides: of the maps, fine to coarse.
        channels: of the maps.

    Raises:
        ValueError: there is no map at one of the four strides.
    """

    def __init__(self, strides: Sequence[int], channels: Sequence[int]) -> None:
        super().__init__()
        by_stride = dict(zip(strides, channels, strict=True))
        if not set(STRIDES) <= by_stride.keys():
            raise ValueError(f"decoder: expected maps at strides {STRIDES}, got {tuple(strides)}")
        self.strides = tuple(strides)
        coarsest = _Stage(by_stride[STRIDES[-1]], COARSEST_WIDTH, joined=0)
        finer = [_Stage(by_stride[stride], WIDTH, WIDTH + 1) for stride in STRIDES[-2::-1]]
        self.stages = nn.ModuleList([coarsest, *finer])
        self.dropout = nn.Dropout(DROPOUT)
        # As the maps of a backbone are laid out, see there.
        self.to(memory_format=torch.channels_last)  # type: ignore[call-overload]

    def heads(self) -> list[nn.Conv2d]:
        """The layers that speak of depth, from coarse to fine."""
        return [cast(_Stage, stage).head for stage in self.stages]

    def forward(
        self, features: Sequence[Float[Tensor, "b _ _ _"]]
    ) -> Mapping[int, Float[Tensor, "b 1 _ _"]]:
        """logits[scale], finest first, in float32."""
        maps = dict(zip(self.strides, features, strict=True))
        logits: dict[int, Tensor] = {}
        coarser: list[Tensor] = []
        levels = reversed(range(len(STRIDES)))
        for level, stage, head in zip(levels, self.stages, self.heads(), strict=True):
            skip = maps[STRIDES[level]]
            if level >= len(STRIDES) - DROPPED:
                skip = self.dropout(skip)
            x = stage(skip, coarser)
            said = apply_in_full_precision(head, x)
            logits[level + 1] = said
            coarser = [x, said.sigmoid().to(x.dtype)]
        return dict(sorted(logits.items()))


def _convolution(inputs: int, outputs: int) -> nn.Conv2d:
    return nn.Conv2d(inputs, outputs, 3, padding=1, padding_mode="reflect")
