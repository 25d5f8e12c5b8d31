"""Packing and unpacking [packnet]: halve and double the size of maps without losing what they say.

A packed map is folded, four pixels into four channels, then compressed by learned 3-D convolutions
that slide over the channels as well as over the picture.
"""

from dataclasses import dataclass
from typing import Any

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
_FOLDING_COST, _COPYING_COST = 200, 100
"""Multiplications of a convolution that take as long as folding one weight of the larger kernel,
and as bringing one weight into the shape that a border needs: both are bound by memory (measured
on a CPU)."""
_LAUNCHING_COST = 10**11
"""Multiplications that a large GPU does while the border's some seventy small kernels are launched:
the folded form of a single picture took 1.4 ms longer a packing there
(benchmarks/packnet_step.md)."""


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
        return functional.elu(self.norm(convolved), inplace=True)


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
        return _features_of(maps, self.weight[:, 0], (1, 1), self.bias)


def _features_of(
    maps: Float[Tensor, "b c h w"],
    weight: Float[Tensor, "d 3 _ _"],
    padding: tuple[int, int],
    bias: Float[Tensor, "d"] | None = None,
) -> Float[Tensor, "b _ _ _"]:
    """d features of each channel from itself and both beside it, in the order of features."""
    channels = maps.shape[1]
    padded = functional.pad(maps, (0, 0, 0, 0, 1, 1))
    beside = [padded[:, i : i + channels] for i in range(_KERNEL_3D)]
    triples = torch.stack(beside, dim=2).flatten(0, 1)
    convolved = functional.conv2d(triples, weight, bias, padding=padding)
    apart: Tensor = convolved.unflatten(0, (-1, channels))
    return apart.transpose(1, 2).flatten(1, 2)


class Packing(nn.Module):
    """Maps at half the size: four pixels into four channels, 3-D features of these, and a 2-D
    convolution back to as many channels [packnet].

    Two linear maps follow each other, and are one: a single convolution with a kernel larger by
    two, without the maps in between. It also counts what the first one would say just outside the
    picture, where the second one sees zeros; that is taken away along the border. Where folding
    the two kernels costs more than it saves, they are applied in turn. What is folded is kept as
    long as nothing is learnt.
    """

    def __init__(self, channels: int, kernel: int, features: int) -> None:
        super().__init__()
        self.kernel = kernel
        self.features = features
        self.expand = ChannelConvolution(features)
        self.compress = ConvNormELU(channels * FOLDED * features, channels, kernel)
        self._kept: _Kept | None = None

    def forward(self, maps: Float[Tensor, "b c h w"]) -> Float[Tensor, "b c _ _"]:
        packed = functional.pixel_unshuffle(maps, FACTOR)
        # What is traced for a compiled or exported program is nothing to keep: it folds each time.
        learns = self.training or torch.is_grad_enabled()
        keeps = not (learns or torch.compiler.is_compiling() or self.expand.weight.is_inference())
        pairs = packed.shape[1] * self.compress.convolution.out_channels
        # Of training steps folded as on a CPU is known to be faster.
        launching = _LAUNCHING_COST / pairs if packed.is_cuda and not learns else 0.0
        if not folding_pays(
            packed.shape, self.kernel, self.features, kept=keeps, launching=launching
        ):
            return self.compress.finish(self.in_turn(packed))
        return self.compress.finish(self.as_one(packed, self._kept_kernel() if keeps else None))

    def train(self, mode: bool = True) -> "Packing":
        # Fused optimisers change weights without telling their version.
        self._kept = None
        super().train(mode)
        return self

    def __getstate__(self) -> dict[str, Any]:
        return self.__dict__ | {"_kept": None}

    def in_turn(self, packed: Float[Tensor, "b c h w"]) -> Float[Tensor, "b _ h w"]:
        """Both convolutions of folded pixels, one after the other."""
        result: Tensor = self.compress.convolution(self.expand(packed))
        return result

    def as_one(
        self, packed: Float[Tensor, "b c h w"], kernel: Float[Tensor, "_ _ _ _"] | None = None
    ) -> Float[Tensor, "b _ h w"]:
        """The same by one convolution with `kernel`, that of `folded_kernel`, and a border of half
        the smaller kernel's width.

        Raises:
            ValueError: the maps are narrower than that border.
        """
        rim = self.kernel // 2
        if min(packed.shape[-2:]) < rim:
            raise ValueError(
                f"packed maps: expected {rim} rows and columns or more, got {packed.shape[-2:]}"
            )
        kernel = self.folded_kernel() if kernel is None else kernel
        result = functional.conv2d(packed, kernel, padding=rim + 1)
        result = result + self._offsets(packed)
        result[:, :, :rim] -= self._beyond_rows(packed[:, :, :1], before=True)
        result[:, :, -rim:] -= self._beyond_rows(packed[:, :, -1:], before=False)
        result[..., :rim] -= self._beyond_columns(packed[..., :1], before=True)
        result[..., -rim:] -= self._beyond_columns(packed[..., -1:], before=False)
        return result

    def folded_kernel(self) -> Float[Tensor, "_ _ _ _"]:
        """Weight of the one convolution that both are, not rounded by autocast."""
        outer = self.compress.convolution
        shape = (outer.out_channels, self.features, -1, self.kernel, self.kernel)
        with torch.autocast(outer.weight.device.type, enabled=False):
            return _spread(outer.weight.reshape(shape), self.expand.weight[:, 0])

    def _kept_kernel(self) -> Float[Tensor, "_ _ _ _"]:
        weights = (self.compress.convolution.weight, self.expand.weight)
        state = tuple((w.device, w.data_ptr(), w._version, w.dtype) for w in weights)
        if self._kept is None or self._kept.state != state:
            self._kept = _Kept(state, self.folded_kernel())
        return self._kept.kernel

    def _offsets(self, packed: Float[Tensor, "b c h w"]) -> Float[Tensor, "1 _ h w"]:
        """What both biases add: that of the first convolution only where the second one's kernel
        lies inside.
        """
        outer, inner = self.compress.convolution, self.expand
        assert inner.bias is not None
        assert outer.bias is not None
        shape = (outer.out_channels, self.features, -1, self.kernel, self.kernel)
        by_tap = torch.einsum("nofyx,o->nyx", outer.weight.reshape(shape), inner.bias)
        ones = packed.new_ones(1, 1, *packed.shape[-2:])
        return functional.conv2d(ones, by_tap[:, None], outer.bias, padding=self.kernel // 2)

    def _beyond_rows(
        self, edge: Float[Tensor, "b c 1 w"], *, before: bool
    ) -> Float[Tensor, "b _ _ w"]:
        """What the row of 3-D features just outside the picture would add to the rows inside.

        `edge` is the row of the picture beside it; the corners are part of it.
        """
        rim = self.kernel // 2
        inner = self.expand.weight[:, 0]
        # Of each kernel only the row counts that reaches across the edge.
        row = _features_of(edge, inner[:, :, -1:] if before else inner[:, :, :1], (0, 2))
        taps = self.compress.convolution.weight
        taps = (taps[:, :, :rim] if before else taps[:, :, -rim:]).flip(2)
        outputs, channels, _, width = taps.shape
        weight = taps.transpose(1, 2).reshape(outputs * rim, channels, 1, width)
        # Outside the picture's width and one pixel there is nothing to add.
        added = functional.conv2d(row, weight, padding=(0, rim - 1))
        apart: Tensor = added.unflatten(1, (outputs, rim))
        return apart.squeeze(3)

    def _beyond_columns(
        self, edge: Float[Tensor, "b c h 1"], *, before: bool
    ) -> Float[Tensor, "b _ h _"]:
        """As `_beyond_rows`, of the columns; without corners."""
        rim = self.kernel // 2
        inner = self.expand.weight[:, 0]
        column = _features_of(edge, inner[..., -1:] if before else inner[..., :1], (1, 0))
        taps = self.compress.convolution.weight
        taps = (taps[..., :rim] if before else taps[..., -rim:]).flip(3)
        outputs, channels, height, _ = taps.shape
        weight = taps.permute(0, 3, 1, 2).reshape(outputs * rim, channels, height, 1)
        added = functional.conv2d(column, weight, padding=(rim, 0))
        apart: Tensor = added.unflatten(1, (outputs, rim))
        return apart.squeeze(4).transpose(2, 3)


@dataclass(frozen=True, eq=False)
class _Kept:
    """A folded kernel, and the state of the weights that it was folded from."""

    state: tuple[tuple[torch.device, int, int, torch.dtype], ...]
    kernel: Float[Tensor, "_ _ _ _"]


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


def folding_pays(
    shape: torch.Size, kernel: int, features: int, *, kept: bool = False, launching: float = 0.0
) -> bool:
    """Whether one convolution of packed maps and its border cost less than two, counted in
    multiplications for each pair of channels; `kept` kernels are folded once for many calls, and
    `launching` is what a GPU waits for the border.
    """
    batch, _, height, width = shape
    rim = kernel // 2
    if min(height, width) < rim:
        return False
    in_turn = batch * height * width * features * kernel**2
    as_one = batch * height * width * (kernel + 2) ** 2
    border = rim * kernel * features * (batch * 2 * (height + width) + 4 * _COPYING_COST)
    folding = 0 if kept else _FOLDING_COST * (kernel + 2) ** 2 * features
    return as_one + border + folding + launching < in_turn


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
        return functional.elu(self.norm(self.main(maps) + self.shortcut(maps)), inplace=True)


def residual_block(inputs: int, outputs: int, number: int, dropout: float = 0.0) -> nn.Sequential:
    """So many residual convolutions, the first of which changes the channels [packnet]."""
    return nn.Sequential(
        *(ResidualConvolution(outputs if i else inputs, outputs, dropout) for i in range(number))
    )
