"""The decoder of FCRN: residual blocks that enlarge, without what an unpooled map has of zeros."""

from itertools import pairwise

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional

KERNEL = 5
LEVELS = 4


class UnpooledConvolution(nn.Conv2d):
    """A 5x5 convolution of a map that was enlarged by two, each pixel going to the upper left of
    four and zeros to the others, without making that map [fcrn].

    Rows and columns of the result that are even see the first, third and fifth tap of the kernel,
    odd ones the second and fourth: four convolutions of the small map, with 3x3, 3x2, 2x3 and 2x2
    parts of the same kernel, woven together. Of the large one three multiplications in four would
    be by zero.

    Departure: odd rows look at the pixels above and below them, as in the enlarged map; the code
    of the released networks pads so that they look at the one above and that above it.
    """

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__(inputs, outputs, KERNEL, padding=KERNEL // 2)

    def forward(self, maps: Float[Tensor, "b c h w"]) -> Float[Tensor, "b k _ _"]:
        padded = functional.pad(maps, (1, 1, 1, 1))
        parts = []
        for row in (0, 1):
            for column in (0, 1):
                # An odd row lies between this pixel and the next: nothing above is seen.
                seen = padded[:, :, row:, column:]
                part = self.weight[:, :, row::2, column::2]
                parts.append(functional.conv2d(seen, part, self.bias))
        return functional.pixel_shuffle(torch.stack(parts, dim=2).flatten(1, 2), 2)


class UpProjection(nn.Module):
    """Maps at twice the size: unpooled convolution, ReLU, 3x3 convolution; beside it another
    unpooled convolution; both normalised by batch, summed, ReLU [fcrn].
    """

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.main = nn.Sequential(
            UnpooledConvolution(inputs, outputs),
            nn.BatchNorm2d(outputs),
            nn.ReLU(inplace=True),
            nn.Conv2d(outputs, outputs, 3, padding=1),
            nn.BatchNorm2d(outputs),
        )
        self.shortcut = nn.Sequential(UnpooledConvolution(inputs, outputs), nn.BatchNorm2d(outputs))

    def forward(self, maps: Float[Tensor, "b c h w"]) -> Float[Tensor, "b k _ _"]:
        return functional.relu(self.main(maps) + self.shortcut(maps), inplace=True)


class UpProjectionDecoder(nn.Module):
    """A map at stride 32 -> features at stride 2: 1x1 convolution to half of the channels, batch
    normalisation, four up-projections, each to half of the channels before it [fcrn].

    Args:
        channels: of the map: 2048 of a ResNet-50.

    Raises:
        ValueError: the channels cannot be halved five times.
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        if channels % 2 ** (1 + LEVELS):
            raise ValueError(
                f"channels: expected a multiple of {2 ** (1 + LEVELS)}, which is halved "
                f"{1 + LEVELS} times, got {channels}"
            )
        widths = [channels // 2**k for k in range(1, 2 + LEVELS)]
        self.reduce = nn.Sequential(nn.Conv2d(channels, widths[0], 1), nn.BatchNorm2d(widths[0]))
        self.levels = nn.Sequential(*(UpProjection(*pair) for pair in pairwise(widths)))
        self.channels = widths[-1]

    def forward(self, maps: Float[Tensor, "b c h w"]) -> Float[Tensor, "b k _ _"]:
        features: Tensor = self.levels(self.reduce(maps))
        return features
