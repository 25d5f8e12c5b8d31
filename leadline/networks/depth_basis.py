"""The maps of a backbone -> a first depth, and the basis of what may be added to it [ba-net]."""

from collections.abc import Sequence

import torch
from jaxtyping import Float
from torch import Tensor, nn

from leadline.geometry.grid import Grid
from leadline.networks.feature_pyramid import WIDTH
from leadline.networks.heads import (
    apply_in_full_precision,
    bounded_depth,
    check_depth_range,
    logit_of_depth,
)

LEAST_VARIANCE = 1e-3
"""Added to the variance by which the maps of the basis are divided [ba-net]: a map that is the same
everywhere is not blown up."""


class DepthBasis(nn.Module):
    """A first depth and 128 maps at the finest stride of the backbone.

    An aggregation of all maps of the backbone makes 128: the first depth is a 1x1 convolution of
    them, and the maps themselves, each divided by its deviation over the image, are the basis.

    Departure: depth is bounded as that of every other network here, and is depth, not range, so
    that a picture without a camera has one too; [ba-net] has a ReLU of range.

    Args:
        grids: of the backbone's maps, fine to coarse.
        channels: of these maps.
        minimum_depth, maximum_depth: bounds of the first depth, in network units.
        initial_depth: what it is, about, before anything has been learnt, in network units.

    Raises:
        ValueError: the bounds hold no depth, or not the initial one.
    """

    def __init__(
        self,
        grids: Sequence[Grid],
        channels: Sequence[int],
        minimum_depth: float,
        maximum_depth: float,
        initial_depth: float | None = None,
    ) -> None:
        super().__init__()
        check_depth_range(minimum_depth, maximum_depth)
        self.minimum_depth, self.maximum_depth = minimum_depth, maximum_depth
        self.grid = grids[0]
        self.aggregation = IterativeAggregation(grids, channels)
        self.logits = nn.Conv2d(WIDTH, 1, 1)
        if initial_depth is not None and self.logits.bias is not None:
            logit = logit_of_depth(initial_depth, minimum_depth, maximum_depth)
            nn.init.constant_(self.logits.bias, logit)

    def forward(
        self, maps: Sequence[Float[Tensor, "b _ _ _"]], image: tuple[int, int]
    ) -> tuple[Float[Tensor, "b 1 h w"], Float[Tensor, "b k h w"]]:
        """Depth in network units and the basis, on `grid`, for images of this size (h, w)."""
        x = self.grid.cropped(self.aggregation(maps), image)
        logits = apply_in_full_precision(self.logits, x)
        x = x.to(logits.dtype)
        variance = x.var(dim=(2, 3), correction=0, keepdim=True)
        depth = bounded_depth(logits, self.minimum_depth, self.maximum_depth)
        return depth, x * torch.rsqrt(variance + LEAST_VARIANCE)


class IterativeAggregation(nn.Module):
    """From the coarsest map on, each finer one is joined in turn, as [ba-net] does for depth.

    Every map is brought to `width` channels by a 1x1 convolution; what has come so far is enlarged,
    stands beside the next map, and a 3x3 convolution makes one of both. Batch normalisation and
    ReLU after every convolution. The result lies on the grid of the finest map.

    Args:
        grids: of the maps, fine to coarse.
        channels: of these maps.
        width: of the result.
    """

    def __init__(self, grids: Sequence[Grid], channels: Sequence[int], width: int = WIDTH) -> None:
        super().__init__()
        self._grids = tuple(grids)
        self.projections = nn.ModuleList(_normed_convolution(c, width, 1) for c in channels)
        self.nodes = nn.ModuleList(_normed_convolution(2 * width, width, 3) for _ in channels[1:])
        # As the maps of a backbone are laid out, see there.
        self.to(memory_format=torch.channels_last)  # type: ignore[call-overload]

    def forward(self, maps: Sequence[Float[Tensor, "b _ _ _"]]) -> Float[Tensor, "b c _ _"]:
        projected: list[Tensor] = [
            layer(x) for layer, x in zip(self.projections, maps, strict=True)
        ]
        total = projected[-1]
        for level in reversed(range(len(self.nodes))):
            own = projected[level]
            size = (own.shape[-2], own.shape[-1])
            enlarged = self._grids[level + 1].resampled(total, self._grids[level], size)
            total = self.nodes[level](torch.cat([enlarged, own], dim=1))
        return total


def _normed_convolution(inputs: int, outputs: int, kernel: int) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(inputs, outputs, kernel, padding=kernel // 2, bias=False),
        nn.BatchNorm2d(outputs),
        nn.ReLU(inplace=True),
    )
