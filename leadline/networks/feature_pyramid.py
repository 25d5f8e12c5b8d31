"""The maps of a backbone, each told what the coarser ones know: on the grids where they lie."""

from collections.abc import Sequence

import torch
from jaxtyping import Float
from torch import Tensor, nn

from leadline.geometry.grid import IMAGE, Grid

WIDTH = 128
"""Channels of every map of the pyramid [ba-net]."""

LEVELS = (4, 8, 16)
"""Strides at which features are compared: at 2 a map has no more to tell of a motion, four times as
many pixels, and with most backbones does not exist; at 32 it has too few (60 for 640 x 192)."""


class FeaturePyramid(nn.Module):
    """The maps of a backbone -> features of 128 channels, from the top down [ba-net].

    Each map of the backbone goes through a 1x1 convolution and is added to the sum of the coarser
    ones, enlarged; a 3x3 convolution makes the features from the sum.

    Features are divided by the root of their number, so that the length of a difference between
    two, by which bundle adjustment is damped, does not grow with it.

    Departure: that; and enlarged bilinearly, between true centres, and not by repeating pixels:
    only then do features move with the picture where it moves by less than a pixel of the coarse
    map. The paper's backbone is DRN-54; this takes any.

    Args:
        grids: of the backbone's maps, fine to coarse.
        channels: of these maps.
        strides: at which features are made.
        width: channels of the features.

    Raises:
        ValueError: the backbone has no map at one of the strides.
    """

    def __init__(
        self,
        grids: Sequence[Grid],
        channels: Sequence[int],
        strides: Sequence[int] = LEVELS,
        width: int = WIDTH,
    ) -> None:
        super().__init__()
        there = [grid.stride for grid in grids]
        if not strides or not set(strides) <= set(there):
            raise ValueError(
                f"feature pyramid: expected some of the backbone's strides {there}, got "
                f"{list(strides)}"
            )
        # Maps finer than all features are none of its business.
        self._used = slice(there.index(min(strides)), None)
        self._summed = tuple(grids[self._used])
        self.grids = tuple(grid for grid in self._summed if grid.stride in strides)
        self.lateral = nn.ModuleList(nn.Conv2d(c, width, 1) for c in channels[self._used])
        self.smooth = nn.ModuleDict(
            {str(grid.stride): nn.Conv2d(width, width, 3, padding=1) for grid in self.grids}
        )
        self._scale = width**-0.5
        # As the maps of a backbone are laid out, see there.
        self.to(memory_format=torch.channels_last)  # type: ignore[call-overload]

    def forward(self, maps: Sequence[Float[Tensor, "b _ _ _"]]) -> list[Float[Tensor, "b c _ _"]]:
        """Features at each of `grids`, fine to coarse."""
        features: list[Tensor] = []
        total: Tensor | None = None
        coarser = IMAGE
        for grid, lateral, x in reversed(
            list(zip(self._summed, self.lateral, maps[self._used], strict=True))
        ):
            own: Tensor = lateral(x)
            size = (own.shape[-2], own.shape[-1])
            total = own if total is None else own + coarser.resampled(total, grid, size)
            coarser = grid
            if grid in self.grids:
                features.append(self.smooth[str(grid.stride)](total) * self._scale)
        return features[::-1]
