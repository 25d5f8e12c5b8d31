"""The decoder of Monodepth2: upsample, join the encoder's map, convolve; logits at four scales."""

from collections.abc import Mapping, Sequence
from typing import cast

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional

from leadline.networks.heads import apply_in_full_precision

WIDTHS = (16, 32, 64, 128, 256)
"""Channels of the stages that end at strides 1, 2, 4, 8 and 16 [monodepth2]."""

ENCODER_STRIDES = (2, 4, 8, 16, 32)

SCALES = (0, 1, 2, 3)
"""Scales at which the heads speak; scale s has stride 2^s."""


class SkipDecoder(nn.Module):
    """A feature pyramid from fine to coarse -> logits of named heads at four scales [monodepth2].

    Stage i, from 4 to 0, ends at stride 2^i: 3x3 convolution, nearest upsampling by two, the
    encoder's map of that stride joined to the channels, 3x3 convolution; ELU after both. Stages 3
    to 0 feed one 3x3 convolution per head. All convolutions pad by reflection; there are no norms.
    Where the encoder has no map (every backbone at stride 1, all but ResNets at stride 2), the
    stage joins none.

    `blocks` stand in the order upconv(4,0), upconv(4,1), ..., upconv(0,1) of the released
    checkpoints: their `decoder.{i}.conv.conv` is `blocks.{i}.0` here, and their
    `decoder.{10 + s}.conv` is `heads.{name}.{s}`.

    Args:
        strides: strides of the maps, ascending, powers of two, from 2 or more to 32.
        channels: their channels.
        heads: channels of the logits of every head, by name.
        skips: whether the encoder's finer maps are joined; without, all must pass through the
            coarsest one, as in an autoencoder.

    Raises:
        ValueError: the strides are others.
    """

    def __init__(
        self,
        strides: Sequence[int],
        channels: Sequence[int],
        heads: Mapping[str, int],
        skips: bool = True,
    ) -> None:
        super().__init__()
        self.strides = tuple(strides)
        fitting = tuple(stride for stride in ENCODER_STRIDES if stride in strides)
        if self.strides != fitting or strides[-1] != ENCODER_STRIDES[-1]:
            raise ValueError(
                f"decoder: expected maps at some of the strides {ENCODER_STRIDES}, fine to coarse "
                f"and the last among them, got {self.strides}"
            )
        self.skips = skips
        skip_channels = dict(zip(strides, channels, strict=True)) if skips else {}
        self.blocks = nn.ModuleList()
        coming = channels[-1]
        for stage, width in reversed(list(enumerate(WIDTHS))):
            self.blocks.append(_convolution_elu(coming, width))
            self.blocks.append(_convolution_elu(width + skip_channels.get(2**stage, 0), width))
            coming = width
        self.heads = nn.ModuleDict(
            {
                name: nn.ModuleList(_convolution(WIDTHS[scale], outputs) for scale in SCALES)
                for name, outputs in heads.items()
            }
        )
        # As the maps of a backbone are laid out, see there.
        self.to(memory_format=torch.channels_last)  # type: ignore[call-overload]

    def forward(
        self, features: Sequence[Float[Tensor, "b _ _ _"]]
    ) -> dict[str, dict[int, Float[Tensor, "b _ _ _"]]]:
        """logits[head][scale], finest first, each at the stride of its scale, in float32."""
        skips = dict(zip(self.strides, features, strict=True)) if self.skips else {}
        stages: dict[int, Tensor] = {}
        x = features[-1]
        before, after = self.blocks[::2], self.blocks[1::2]
        for stage in reversed(range(len(WIDTHS))):
            x = functional.interpolate(before[-1 - stage](x), scale_factor=2.0, mode="nearest")
            if 2**stage in skips:
                x = torch.cat([x, skips[2**stage]], dim=1)
            x = stages[stage] = after[-1 - stage](x)
        return {
            name: {
                scale: apply_in_full_precision(layer, stages[scale])
                for scale, layer in zip(SCALES, cast(nn.ModuleList, head), strict=True)
            }
            for name, head in self.heads.items()
        }


def _convolution(inputs: int, outputs: int) -> nn.Conv2d:
    return nn.Conv2d(inputs, outputs, 3, padding=1, padding_mode="reflect")


def _convolution_elu(inputs: int, outputs: int) -> nn.Sequential:
    return nn.Sequential(_convolution(inputs, outputs), nn.ELU(inplace=True))
