"""The decoder of the U-Net on NYUv2: linear from end to end, each finer map beginning to count as
much less as it lies farther from the end.
"""

from collections.abc import Sequence
from typing import cast

import torch
from jaxtyping import Float
from torch import Tensor, nn

from leadline.networks.heads import apply_in_full_precision

COARSEST_WIDTH = 512
WIDTHS = (128, 64, 32, 16)
"""Channels to which the maps at strides 16, 8, 4 and 2 are brought, and those that they join."""
SKIP_SCALES = (1e-1, 1e-2, 1e-3, 1e-6)
"""By which these maps are multiplied, and always are."""
STRIDES = (2, 4, 8, 16, 32)
LAST = len(SKIP_SCALES) - 1


class LogDepthDecoder(nn.Module):
    """Maps at strides 2 to 32 -> one number a pixel of the image [unet-nyu].

    1x1 convolution to 512 of the coarsest; transposed 4x4 convolution to the next finer stride.
    There the backbone's map, times a fixed number and through a 3x3 convolution, is joined; a 3x3
    convolution halves the channels, and a transposed one goes on. No norms, nothing that bends: all
    of the network's bends are the backbone's. Weights as Glorot has them, biases 0.

    Args:
        strides: of the maps, fine to coarse.
        channels: of the maps.

    Raises:
        ValueError: the maps are not those at strides 2 to 32, as of a ResNet.
    """

    def __init__(self, strides: Sequence[int], channels: Sequence[int]) -> None:
        super().__init__()
        if tuple(strides) != STRIDES:
            raise ValueError(
                f"decoder: expected maps at strides {STRIDES}, as of a ResNet, got {tuple(strides)}"
            )
        *finer, coarsest = channels
        self.score = nn.Conv2d(coarsest, COARSEST_WIDTH, 1)
        self.first = _enlarge(COARSEST_WIDTH, WIDTHS[0])
        after = [*WIDTHS[1:], 1]
        self.skips = nn.ModuleList(
            nn.Conv2d(count, width, 3, padding=1)
            for count, width in zip(reversed(finer), WIDTHS, strict=True)
        )
        self.joins = nn.ModuleList(
            nn.Conv2d(2 * width, count, 3, padding=1)
            for width, count in zip(WIDTHS, after, strict=True)
        )
        self.ups = nn.ModuleList(_enlarge(count, count) for count in after)
        for layer in self.modules():
            if isinstance(layer, nn.Conv2d | nn.ConvTranspose2d):
                nn.init.xavier_uniform_(layer.weight)
                nn.init.zeros_(cast(Tensor, layer.bias))

    def forward(self, maps: Sequence[Float[Tensor, "b _ _ _"]]) -> Float[Tensor, "b 1 h w"]:
        *finer, coarsest = maps
        x = self.first(self.score(coarsest))
        for step, own in enumerate(reversed(finer)):
            said = self.skips[step](own * SKIP_SCALES[step])
            onward = nn.Sequential(self.joins[step], self.ups[step])
            joined = torch.cat([x, said], 1)
            # The last step says depth, which half precision would round.
            x = onward(joined) if step < LAST else apply_in_full_precision(onward, joined)
        return cast(Tensor, x)


def _enlarge(inputs: int, outputs: int) -> nn.ConvTranspose2d:
    return nn.ConvTranspose2d(inputs, outputs, 4, stride=2, padding=1)
