"""Packing and unpacking [packnet]: halve and double the size of maps without losing what they say.

A packed map is folded, four pixels into four channels, then compressed by learned 3-D convolutions
that slide over the channels as well as over the picture.
"""

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional

FACTOR = 2
FOLDED = FACTOR * FACTOR
"""Channels that one channel is folded into."""
GROUPS = 16
"""Of every normalisation."""
_KERNEL_3D = 3
_FOLDING_COST = 200
"""Multiplications of a convolution that take as long as folding one weight of the larger kernel:
that is bound by memory (measured on a CPU)."""


class ConvNormELU(nn.Module):
    """Convolution with zero padding, group normalisation, ELU.

    Raises:
        ValueError: the channels do not fall into 16 groups.
    """

    def __init__(self, inputs: int, outputs: int, kernel: int) -> None:
        super().__init__()
        if outputs % GROUPS:
            raise ValueError(f"channels: expected a multiple of {GROUPS}, got {outputs}")
        self.convolution = nn.Conv2d(inputs, outputs, kernel, padding=kernel // 2)
        self.norm = nn.GroupNorm(GROUPS, outputs)

    def forward(self, maps: Float[Tensor, "b c h w"]) -> Float[Tensor, "b _ h w"]:
        return self.finish(self.convolution(maps))

    def finish(self, convolved: Float[Tensor, "b c h w"]) -> Float[Tensor, "b c h w"]:
        """What follows the convolution."""
        return functional.elu(self.norm(convolved))


class ChannelConvolution(nn.Conv3d):
    """A 3-D convolution whose third axis is the channels of a map: d features of each channel.

    F(o, m, y, x) = b_o + sum W(o, i, j, k) I(m + i, y + j, x + k), zero beyond every border
    [packnet]. The result has the channels o * c + m.

    As 2-D convolutions: each channel with its two neighbours is a picture of three channels. That
    is the same sum, for which CPUs and GPUs have faster programs than for one channel of depth c.
    """

    def __init__(self, features: int) -> None:
        super().__init__(1, features, _KERNEL_3D, padding=_KERNEL_3D // 2)

    def forward(self, maps: Float[Tensor, "b c h w"]) -> Float[Tensor, "b _ h w"]:
        batch, channels, height, width = maps.shape
        padded = functional.pad(maps, (0, 0, 0, 0, 1, 1))
        beside = [padded[:, i : i + channels] for i in range(_KERNEL_3D)]
        triples = torch.stack(beside, dim=2).flatten(0, 1)
        convolved = functional.conv2d(triples, self.weight[:, 0], self.bias, padding=1)
        apart = convolved.reshape(batch, channels, self.out_channels, height, width)
        return apart.transpose(1, 2).flatten(1, 2)


class Packing(nn.Module):
    """Maps at half the size: four pixels into four channels, 3-D features of these, and a 2-D
    convolution back to as many channels [packnet].

    Two linear maps follow each other, and are one: away from the border they are applied as a
    single convolution with a kernel larger by two, without the maps in between. Along the border,
    where the second one sees zeros in place of what the first would say, they are applied in turn.
    Where maps are so small that most of them is border, all is.
    """

    def __init__(self, channels: int, kernel: int, features: int) -> None:
        super().__init__()
        self.kernel = kernel
        self.features = features
        self.expand = ChannelConvolution(features)
        self.compress = ConvNormELU(channels * FOLDED * features, channels, kernel)

    def forward(self, maps: Float[Tensor, "b c h w"]) -> Float[Tensor, "b c _ _"]:
        packed = functional.pixel_unshuffle(maps, FACTOR)
        fold = folding_pays(packed.shape, self.kernel, self.features)
        return self.compress.finish(self.as_one(packed) if fold else self.in_turn(packed))

    def in_turn(self, packed: Float[Tensor, "b c h w"]) -> Float[Tensor, "b _ h w"]:
        """Both convolutions of folded pixels, one after the other."""
        result: Tensor = self.compress.convolution(self.expand(packed))
        return result

    def as_one(self, packed: Float[Tensor, "b c h w"]) -> Float[Tensor, "b _ h w"]:
        """The same by one convolution inside, and in turn along the border."""
        rim = self.kernel // 2
        weight, bias = self.folded_kernel()
        inside = functional.conv2d(packed, weight, bias, padding=1)
        # What lies within `rim` of the border depends on so many pixels of the picture.
        reach = 2 * rim + 1
        top = self.in_turn(packed[:, :, :reach])[:, :, :rim]
        bottom = self.in_turn(packed[:, :, -reach:])[:, :, -rim:]
        left = self.in_turn(packed[..., :reach])[:, :, rim:-rim, :rim]
        right = self.in_turn(packed[..., -reach:])[:, :, rim:-rim, -rim:]
        return torch.cat([top, torch.cat([left, inside, right], dim=3), bottom], dim=2)

    def folded_kernel(self) -> tuple[Float[Tensor, "_ _ _ _"], Float[Tensor, "_"]]:
        """Weight and bias of the one convolution that both are, where no border is near."""
        outer, inner = self.compress.convolution, self.expand
        size = (outer.out_channels, self.features, -1, self.kernel, self.kernel)
        split = outer.weight.reshape(size)
        assert outer.bias is not None
        assert inner.bias is not None
        return _spread(split, inner.weight[:, 0]), outer.bias + split.sum(
            dim=(2, 3, 4)
        ) @ inner.bias


def _spread(
    outer: Float[Tensor, "_ _ c _ _"], inner: Float[Tensor, "_ _ _ _"]
) -> Float[Tensor, "_ c _ _"]:
    """W(n, m, .) = sum over o, i of outer(n, o, m - i, .) convolved in full with inner(o, i, .)."""
    outputs, features, channels, kernel, _ = outer.shape
    pictures = outer.transpose(1, 2).reshape(outputs * channels, features, kernel, kernel)
    mirrored = inner.transpose(0, 1).flip(2, 3)
    spread = functional.conv2d(pictures, mirrored, padding=_KERNEL_3D - 1)
    by_shift = spread.reshape(outputs, channels, _KERNEL_3D, kernel + 2, kernel + 2)
    padded = functional.pad(by_shift, (0, 0, 0, 0, 0, 0, 1, 1))
    shifted = [padded[:, 2 - i : 2 - i + channels, i] for i in range(_KERNEL_3D)]
    return torch.stack(shifted).sum(dim=0)


def folding_pays(shape: torch.Size, kernel: int, features: int) -> bool:
    """Whether one convolution inside and two along the border of packed maps cost less than two
    everywhere, counted in multiplications for each pair of channels.
    """
    batch, _, height, width = shape
    rim, reach = kernel // 2, kernel
    if min(height, width) <= 2 * rim:
        return False
    in_turn = features * kernel**2
    inside = (height - 2 * rim) * (width - 2 * rim) * (kernel + 2) ** 2
    border = 2 * reach * (height + width) * in_turn
    folding = _FOLDING_COST * (kernel + 2) ** 2 * features
    return batch * (inside + border) + folding < batch * height * width * in_turn


class Unpacking(nn.Module):
    """Maps at twice the size: a 2-D convolution, 3-D features, four channels into four pixels
    [packnet].

    Raises:
        ValueError: `outputs` does not divide into as many features.
    """

    def __init__(self, inputs: int, outputs: int, kernel: int, features: int) -> None:
        super().__init__()
        if outputs * FOLDED % features:
            raise ValueError(
                f"outputs: expected a multiple of {features} / {FOLDED}, got {outputs}"
            )
        self.compress = ConvNormELU(inputs, outputs * FOLDED // features, kernel)
        self.expand = ChannelConvolution(features)

    def forward(self, maps: Float[Tensor, "b c h w"]) -> Float[Tensor, "b _ _ _"]:
        return functional.pixel_shuffle(self.expand(self.compress(maps)), FACTOR)


class ResidualConvolution(nn.Module):
    """Two 3x3 convolutions beside a 1x1 convolution, summed; normalisation, ELU [packnet]."""

    def __init__(self, inputs: int, outputs: int, dropout: float = 0.0) -> None:
        super().__init__()
        self.main = nn.Sequential(ConvNormELU(inputs, outputs, 3), ConvNormELU(outputs, outputs, 3))
        self.shortcut = nn.Sequential(nn.Conv2d(inputs, outputs, 1))
        if dropout > 0:
            self.shortcut.append(nn.Dropout2d(dropout))
        self.norm = nn.GroupNorm(GROUPS, outputs)

    def forward(self, maps: Float[Tensor, "b c h w"]) -> Float[Tensor, "b _ h w"]:
        return functional.elu(self.norm(self.main(maps) + self.shortcut(maps)))


def residual_block(inputs: int, outputs: int, number: int, dropout: float = 0.0) -> nn.Sequential:
    """So many residual convolutions, the first of which changes the channels [packnet]."""
    return nn.Sequential(
        *(ResidualConvolution(outputs if i else inputs, outputs, dropout) for i in range(number))
    )
